// How wide pictures are asked for over HTTP, where the server is told no wish but a width. docs/protocol.md, "Sizes".

/** The narrowest size, 320 wide, has no more frames a second than this. */
const THUMBNAIL_FPS = 10;
/** The next one, in pixels; it has all of them. */
const SMOOTH_WIDTH = 480;

/** For a picture shown `width` device pixels wide: never so narrow that frames are missing of those that are wanted. */
export function smoothWidth(width: number, fps: number | undefined): number {
  return fps !== undefined && fps <= THUMBNAIL_FPS ? width : Math.max(width, SMOOTH_WIDTH);
}
