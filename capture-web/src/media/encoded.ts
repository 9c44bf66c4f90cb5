// A picture on its way from the camera to the server. Types only.

export interface EncodedFrame {
  jpeg: Uint8Array<ArrayBuffer>;
  /** When the picture was taken, Unix microseconds on this page's clock. */
  capturedUs: number;
  width: number;
  height: number;
  /** From having the picture to having its JPEG. */
  encodeMs: number;
}

/** What the encoder needs to know; `width` and `height` bound the picture, upright ones turned. */
export interface EncoderSettings {
  fps: number;
  quality: number;
  width: number;
  height: number;
}

/**
 * The size of a picture fitted into the bounds, shape kept, never enlarged. Bounds have no direction: a phone held
 * upright sends as many pixels as one that lies.
 */
export function fit(width: number, height: number, most: { width: number; height: number }): { width: number; height: number } {
  const long = Math.max(most.width, most.height) / Math.max(width, height);
  const short = Math.min(most.width, most.height) / Math.min(width, height);
  const scale = Math.min(1, long, short);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}
