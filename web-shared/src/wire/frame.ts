// The binary message from server to viewer: docs/protocol.md, "Streaming WebSocket". Bytes only: no socket,
// no clock, no decoding of the picture. tests/vectors/frame.json pins it.

import { isCameraId } from "../camera-id.ts";

const VERSION = 1;
const KIND_FRAME = 1;
const ID_OFFSET = 33;

/** A frame as it arrived. `jpeg` is a view into the message, not a copy. */
export interface FrameMessage {
  camera: string;
  /** Exact even above 2^53, so that an `ack` names the very frame. */
  seq: bigint;
  /** Unix microseconds on the server's clock, 0 if unknown. Exact to 2^53, which is the year 2255. */
  capturedUs: number;
  receivedUs: number;
  width: number;
  height: number;
  jpeg: Uint8Array<ArrayBuffer>;
}

/** `short`: ends inside the header or the id, or carries no picture. `camera`: not a camera id. */
export type FrameError = "short" | "version" | "kind" | "camera";

export type ParsedFrame = { ok: true; frame: FrameMessage } | { ok: false; error: FrameError };

const utf8 = new TextDecoder();

/** Reads a frame message. Flags are ignored: a receiver does not know tomorrow's. */
export function parseFrame(message: ArrayBuffer): ParsedFrame {
  if (message.byteLength < ID_OFFSET) return { ok: false, error: "short" };
  const view = new DataView(message);
  const idLength = view.getUint8(32);
  if (view.getUint8(0) !== VERSION) return { ok: false, error: "version" };
  if (view.getUint8(1) !== KIND_FRAME) return { ok: false, error: "kind" };
  const jpegOffset = ID_OFFSET + idLength;
  if (message.byteLength <= jpegOffset) return { ok: false, error: "short" };
  const camera = utf8.decode(new Uint8Array(message, ID_OFFSET, idLength));
  if (!isCameraId(camera)) return { ok: false, error: "camera" };
  return {
    ok: true,
    frame: {
      camera,
      seq: view.getBigUint64(4, true),
      capturedUs: Number(view.getBigUint64(12, true)),
      receivedUs: Number(view.getBigUint64(20, true)),
      width: view.getUint16(28, true),
      height: view.getUint16(30, true),
      jpeg: new Uint8Array(message, jpegOffset),
    },
  };
}
