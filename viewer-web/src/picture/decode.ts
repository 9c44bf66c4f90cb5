// From a JPEG's bytes to something that can be drawn, in no more pixels than are shown.

import { readJpegHead, type JpegHead } from "./jpeg-head.ts";

/** What is drawn, and how large the picture itself is. */
export interface Decoded {
  image: ImageBitmap | VideoFrame;
  /** Of `image`. */
  width: number;
  height: number;
  /** Of the picture, which may be larger. */
  of: { width: number; height: number };
}

/** `shownWidth` in device pixels; replaced in tests. */
export type Decode = (jpeg: Uint8Array<ArrayBuffer>, shownWidth: number) => Promise<Decoded>;

/** Each halves width and height once more: decoders make these while they decode, for less than a whole picture. */
const HALVINGS = [8, 4, 2];

/**
 * A picture shown at half its width or less is decoded as small; measured with 24 KB of 640×480, decoded and drawn
 * at half: 1.0 ms instead of 2.9, see docs/decisions.md. `ImageDecoder` is for secure pages only (WebCodecs, section
 * 10); everywhere else, and for whole pictures, where it is no faster, the browser decodes on a thread of its choice.
 */
export const decodeJpeg: Decode = async (jpeg, shownWidth) => {
  const head = readJpegHead(jpeg);
  const divisor = head === undefined ? undefined : divisorFor(head, shownWidth);
  if (head !== undefined && divisor !== undefined) {
    const small = await decodeSmall(jpeg, head, divisor).catch(() => undefined);
    if (small !== undefined) return small;
  }
  const image = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
  const { width, height } = image;
  return { image, width, height, of: { width, height } };
};

/** By how much a picture may be divided and still fill what it is shown on; `undefined`: it is needed whole. */
export function divisorFor({ width, mayBeTurned }: JpegHead, shownWidth: number): number | undefined {
  // Which side a turned picture's width is, only its decoder knows.
  if (mayBeTurned) return undefined;
  return HALVINGS.find((divisor) => width / divisor >= shownWidth);
}

async function decodeSmall(jpeg: Uint8Array<ArrayBuffer>, { width, height }: JpegHead, divisor: number): Promise<Decoded | undefined> {
  if (typeof ImageDecoder !== "function") return undefined;
  const decoder = new ImageDecoder({ data: jpeg, type: "image/jpeg", desiredWidth: Math.ceil(width / divisor), desiredHeight: Math.ceil(height / divisor) });
  try {
    const { image } = await decoder.decode();
    return { image, width: image.displayWidth, height: image.displayHeight, of: { width, height } };
  } finally {
    decoder.close();
  }
}
