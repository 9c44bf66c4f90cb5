// A picture on its way from the camera to the server. Types only.

export interface EncodedFrame {
  jpeg: Uint8Array<ArrayBuffer>;
  /** When the picture was taken, Unix microseconds on this page's clock. */
  capturedUs: number;
  width: number;
  height: number;
}

/** What the encoder needs to know; `width` and `height` bound the picture. */
export interface EncoderSettings {
  fps: number;
  quality: number;
  width: number;
  height: number;
}

/** The size of a picture fitted into the bounds, shape kept, never enlarged. */
export function fit(width: number, height: number, most: { width: number; height: number }): { width: number; height: number } {
  const scale = Math.min(1, most.width / width, most.height / height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}
