// Makes a frame's messages: numbered, timed on the server's clock, split where needed.

import type { ServerClock } from "@framecast/shared/clock";
import { MAX_PARTS, PART_HEADER_BYTES, splitFrame } from "@framecast/shared/wire/part";
import type { EncodedFrame } from "../media/encoded.ts";

/** The largest message the server takes; browsers that announce more would only cut worse. */
const MAX_MESSAGE_BYTES = 262_144;

/**
 * A message that Chromium sends on a data channel at once: four packets. Of a longer one it sends the next four
 * only when the other side has acknowledged some, which stretches a frame of 40 kB over nine round trips.
 */
export const BURST_BYTES = 4_600;

/** Payload that fits one message beside its header. */
export function payloadLimit(maxMessageBytes: number): number {
  return Math.min(maxMessageBytes, MAX_MESSAGE_BYTES) - PART_HEADER_BYTES;
}

export function frameMessages(frame: EncodedFrame, seq: bigint, clock: ServerClock, limit: number): Uint8Array<ArrayBuffer>[] {
  // A frame too large for so many small messages goes in as few larger ones as it takes.
  const fitting = Math.max(limit, Math.min(payloadLimit(MAX_MESSAGE_BYTES), Math.ceil(frame.jpeg.byteLength / MAX_PARTS)));
  // Until the clock is known, 0: the server then shows the age since arrival.
  const capturedUs = BigInt(Math.max(0, Math.round(clock.toServerUs(frame.capturedUs) ?? 0)));
  return splitFrame({ seq, capturedUs, jpeg: frame.jpeg }, fitting);
}
