// The binary message from publisher to server: docs/protocol.md, "Binary messages from a publisher". Bytes
// only. tests/vectors/part.json pins it.

const VERSION = 1;
const KIND_PART = 2;

/** Bytes before a part's payload. */
export const PART_HEADER_BYTES = 28;
/** The most parts a frame may have. */
export const MAX_PARTS = 1024;

export interface FrameToSplit {
  seq: bigint;
  /** Unix microseconds on the server's clock, 0 if unknown. */
  capturedUs: bigint;
  jpeg: Uint8Array;
}

/**
 * Splits a frame into messages of at most `payloadLimit` bytes after the header. All parts but the last are
 * equally long, which is what lets the receiver place a part without having seen the others.
 *
 * Throws a `RangeError` where the frame is empty or would need more than `MAX_PARTS` parts.
 */
export function splitFrame(frame: FrameToSplit, payloadLimit: number): Uint8Array<ArrayBuffer>[] {
  const length = frame.jpeg.byteLength;
  if (length === 0) throw new RangeError("an empty frame cannot be sent");
  if (payloadLimit < 1) throw new RangeError("a part must carry at least one byte");
  const parts = Math.ceil(length / payloadLimit);
  if (parts > MAX_PARTS) throw new RangeError(`${length} bytes do not fit into ${MAX_PARTS} parts of ${payloadLimit}`);
  const each = Math.ceil(length / parts);
  return Array.from({ length: parts }, (_, part) => {
    const payload = frame.jpeg.subarray(part * each, (part + 1) * each);
    const message = new Uint8Array(PART_HEADER_BYTES + payload.byteLength);
    const view = new DataView(message.buffer);
    view.setUint8(0, VERSION);
    view.setUint8(1, KIND_PART);
    view.setUint16(2, part, true);
    view.setUint16(4, parts, true);
    view.setUint16(6, 0, true);
    view.setUint32(8, length, true);
    view.setBigUint64(12, frame.seq, true);
    view.setBigUint64(20, frame.capturedUs, true);
    message.set(payload, PART_HEADER_BYTES);
    return message;
  });
}
