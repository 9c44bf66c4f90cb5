// The steps down from what a person wants to what a bad link still carries: first quality, then size, then
// frame rate, because that is the order in which eyes mind the least. Pure.

import type { EncoderSettings } from "../media/encoded.ts";

/** Below this, blocks are all one sees, and the bytes hardly shrink. */
const LEAST_QUALITY = 0.4;
const QUALITY_STEP = 0.1;
const SIZES: readonly number[] = [0.75, 0.5, 0.375, 0.25];
/** The longer side of the smallest picture, in pixels. */
const LEAST_SIDE = 160;
const RATES: readonly number[] = [2 / 3, 1 / 2, 1 / 3, 1 / 6];
const LEAST_FPS = 2;

/** The first step is what is wanted; each next one takes less of the network and of the encoder. */
export function ladder(wanted: EncoderSettings): readonly EncoderSettings[] {
  const steps: EncoderSettings[] = [wanted];
  let lowest = wanted;
  const add = (change: Partial<EncoderSettings>): void => {
    lowest = { ...lowest, ...change };
    steps.push(lowest);
  };
  // In tenths, so that 0.7 − 0.1 − 0.1 does not become 0.4999.
  for (let tenths = Math.ceil(wanted.quality * 10 - 1.001); tenths / 10 >= LEAST_QUALITY; tenths -= QUALITY_STEP * 10) add({ quality: tenths / 10 });
  for (const scale of SIZES) {
    const size = { width: even(wanted.width * scale), height: even(wanted.height * scale) };
    if (Math.max(size.width, size.height) >= LEAST_SIDE) add(size);
  }
  for (const scale of RATES) {
    const fps = Math.round(wanted.fps * scale);
    if (fps >= LEAST_FPS && fps < lowest.fps) add({ fps });
  }
  return steps;
}

/** JPEG halves the colours' resolution. */
function even(pixels: number): number {
  return Math.max(2, 2 * Math.round(pixels / 2));
}
