// Gathers what happens between two of the server's reports into the `Second` that the quality follows.
// No clock: the server's reports, one a second, are the beat.

import type { Feedback } from "../publish/session.ts";
import type { Second } from "./control.ts";

/** Totals of this page since its start. */
export interface Sent {
  sentFrames: number;
  sentBytes: number;
  skippedFrames: number;
}

export class SecondMeter {
  #pictures = 0;
  #encodeMs = 0;
  #bufferedBytes = 0;
  #before: { sent: Sent; arrived: number; lost: number } | undefined;

  /** A picture is there; `bufferedBytes` still wait inside the browser. */
  picture(encodeMs: number, bufferedBytes: number): void {
    this.#pictures += 1;
    this.#encodeMs += encodeMs;
    this.#bufferedBytes += bufferedBytes;
  }

  /** Another connection counts from zero. */
  reset(): void {
    this.#before = undefined;
    this.#clear();
  }

  /** A report came: the second that it ends; `undefined` for the first one of a connection. */
  report(feedback: Feedback, { sentFrames, sentBytes, skippedFrames }: Sent): Second | undefined {
    const before = this.#before;
    // What the server has dropped as the same picture or as a bad one did arrive.
    const arrived = feedback.received + feedback.duplicates + feedback.refused;
    this.#before = { sent: { sentFrames, sentBytes, skippedFrames }, arrived, lost: feedback.lost };
    const pictures = this.#pictures;
    const [encodeMs, bufferedBytes] = [this.#encodeMs, this.#bufferedBytes];
    this.#clear();
    if (before === undefined) return undefined;
    const sent = sentFrames - before.sent.sentFrames;
    const skipped = skippedFrames - before.sent.skippedFrames;
    const eachBytes = sent === 0 ? Infinity : (sentBytes - before.sent.sentBytes) / sent;
    return {
      tried: sent + skipped,
      skipped,
      waiting: pictures === 0 ? 0 : bufferedBytes / pictures / eachBytes,
      arrived: arrived - before.arrived,
      lost: feedback.lost - before.lost,
      ageMs: feedback.ageMs,
      encodeMs: pictures === 0 ? undefined : encodeMs / pictures,
    };
  }

  #clear(): void {
    this.#pictures = 0;
    this.#encodeMs = 0;
    this.#bufferedBytes = 0;
  }
}
