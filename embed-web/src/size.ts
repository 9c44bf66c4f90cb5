// How wide the camera's pictures are shown, so that the server need not send them wider. No DOM.

/** Rounded up to this, so that dragging a window does not ask anew at every pixel. */
const STEP = 160;

export interface Shown {
  /** Of the element, in CSS pixels. */
  width: number;
  height: number;
  /** Device pixels to a CSS pixel. */
  density: number;
  fit: string | null;
  /** Width over height of the newest picture; `undefined` before the first. */
  aspect: number | undefined;
}

/** In device pixels, at least one step. A picture that covers its element may be wider than that; one that it contains, narrower. */
export function wantedWidth({ width, height, density, fit, aspect }: Shown): number {
  const across = aspect === undefined || fit === "fill" ? width : (fit === "cover" ? Math.max : Math.min)(width, height * aspect);
  return Math.max(1, Math.ceil((across * density) / STEP)) * STEP;
}
