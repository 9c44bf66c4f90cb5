// The frames that a camera's cache held at one moment, and which of them is due when. No network, no DOM.

import { asNumber, type Message } from "@framecast/shared/wire/json";

export interface Moment {
  /** The camera's number for the frame. */
  seq: number;
  /** Unix microseconds on the server's clock; 0 if unknown. */
  capturedUs: number;
  receivedUs: number;
  /** Since it was received, when the list was made. */
  ageMs: number;
  width: number;
  height: number;
  bytes: number;
}

/** Reads the answer of `/api/cameras/{id}/frames`; what is no frame is left out. */
export function readMoments(answer: Message | undefined): Moment[] {
  const list: unknown = answer?.["frames"];
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => {
    if (typeof item !== "object" || item === null) return [];
    const frame = item as Message;
    const [seq, receivedUs, bytes] = ["seq", "received_us", "size"].map((name) => asNumber(frame[name]));
    if (seq === undefined || receivedUs === undefined || bytes === undefined) return [];
    return [{ seq, receivedUs, bytes, capturedUs: asNumber(frame["captured_us"]) ?? 0, ageMs: asNumber(frame["age_ms"]) ?? 0, width: asNumber(frame["width"]) ?? 0, height: asNumber(frame["height"]) ?? 0 }];
  });
}

/**
 * When each frame was taken, in milliseconds since the first. By the times of capture where all are known, as
 * those are without the network's unevenness; never going back.
 */
export function offsetsOf(moments: readonly Moment[]): number[] {
  const captured = moments.every(({ capturedUs }) => capturedUs > 0);
  const times = moments.map(({ capturedUs, receivedUs }) => (captured ? capturedUs : receivedUs));
  let latest = times[0] ?? 0;
  return times.map((time) => ((latest = Math.max(latest, time)) - (times[0] ?? 0)) / 1000);
}

/** The last frame that is due at this offset; the first before any is. */
export function indexAt(offsets: readonly number[], offsetMs: number): number {
  let [low, high] = [0, offsets.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((offsets[middle] ?? 0) <= offsetMs) low = middle;
    else high = middle - 1;
  }
  return Math.max(0, low);
}

/**
 * Which frames to hold, the most urgent first: those from the cursor on, then those before it, which leave the
 * server's cache first, as far as `maxBytes` reaches.
 */
export function planned(moments: readonly Moment[], cursor: number, maxBytes: number): number[] {
  const order = [...moments.slice(cursor), ...moments.slice(0, cursor)];
  const held: number[] = [];
  let bytes = 0;
  for (const moment of order) {
    bytes += moment.bytes;
    if (bytes > maxBytes && held.length > 0) break;
    held.push(moment.seq);
  }
  return held;
}
