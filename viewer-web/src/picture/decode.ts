// From a JPEG's bytes to something that can be drawn, in hardly more pixels than are shown.

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

/** Only on secure pages (WebCodecs, `ImageDecoder`), and only until it fails at what the browser can decode otherwise. */
let canDecodeSmall = typeof ImageDecoder === "function";

/**
 * A picture shown at half its width or less is decoded as small: measured with 24 KB of 640×480, decoded and drawn
 * at half, 1.0 and 2.1 ms instead of 2.9 and 3.1, see docs/decisions.md. Everywhere else, and for whole pictures, where
 * `ImageDecoder` is no faster, the browser decodes on a thread of its choice.
 */
export const decodeJpeg: Decode = async (jpeg, shownWidth) => {
  const head = canDecodeSmall ? readJpegHead(jpeg) : undefined;
  const divisor = head === undefined ? undefined : divisorFor(head, shownWidth);
  const small = head === undefined || divisor === undefined ? undefined : await decodeSmall(jpeg, head, divisor).catch(() => undefined);
  if (small !== undefined) return small;
  const image = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
  if (divisor !== undefined) canDecodeSmall = false;
  const { width, height } = image;
  return { image, width, height, of: { width, height } };
};

/** By how much a picture may be divided and still fill what it is shown on; `undefined`: it is needed whole. */
export function divisorFor({ width, mayBeTurned }: JpegHead, shownWidth: number): number | undefined {
  // Which side a turned picture's width is, only its decoder knows.
  if (mayBeTurned) return undefined;
  return HALVINGS.find((divisor) => width / divisor >= shownWidth);
}

async function decodeSmall(jpeg: Uint8Array<ArrayBuffer>, { width, height }: JpegHead, divisor: number): Promise<Decoded> {
  const decoder = new ImageDecoder({ data: jpeg, type: "image/jpeg", desiredWidth: Math.ceil(width / divisor), desiredHeight: Math.ceil(height / divisor) });
  try {
    const { image } = await decoder.decode();
    return { image, width: image.displayWidth, height: image.displayHeight, of: { width, height } };
  } finally {
    decoder.close();
  }
}
