// Which sizes the form lists. No DOM.

import type { CameraOffers } from "../media/camera.ts";

export interface Size {
  width: number;
  height: number;
}

/** The usual ones; cameras scale to these themselves. */
const USUAL: readonly Size[] = [
  { width: 320, height: 240 },
  { width: 640, height: 360 },
  { width: 640, height: 480 },
  { width: 960, height: 540 },
  { width: 1280, height: 720 },
  { width: 1920, height: 1080 },
  { width: 2560, height: 1440 },
  { width: 3840, height: 2160 },
];

/** Until a camera is open nobody knows whether it can do more. */
const UNKNOWN: CameraOffers = { width: 1280, height: 720 };

/** The usual sizes that the camera can fill, and the chosen one, smallest first. */
export function sizesFor(chosen: Size, offers: CameraOffers = UNKNOWN): Size[] {
  // A phone held upright tells its sizes upright.
  const most = { long: Math.max(offers.width, offers.height), short: Math.min(offers.width, offers.height) };
  const sizes = USUAL.filter(({ width, height }) => width <= most.long && height <= most.short);
  if (!sizes.some(({ width, height }) => width === chosen.width && height === chosen.height)) sizes.push({ width: chosen.width, height: chosen.height });
  return sizes.sort((a, b) => a.width * a.height - b.width * b.height);
}
