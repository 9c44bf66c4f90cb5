// Notices a channel that says it is open and carries nothing. No clock of its own: it counts the server's
// once-a-second feedback.

import type { Feedback } from "./session.ts";

/** Consecutive reports without anything new, while frames were to be sent, after which a path is dead. */
const STALLED_REPORTS = 4;

export type Totals = Pick<Feedback, "received" | "duplicates" | "refused">;

export class Progress {
  #noticed = -1;
  #triedThen = 0;
  #stalled = 0;

  /** The server's totals, and how many frames were to be sent until now. Answers whether the path is dead. */
  report(totals: Totals, tried: number): boolean {
    // Whatever the server thinks of a frame, the path has carried it: a still picture makes nothing but
    // duplicates. Lost frames do not count: a path that loses all of them is as good as none.
    const noticed = totals.received + totals.duplicates + totals.refused;
    const stalled = noticed === this.#noticed && tried > this.#triedThen;
    this.#stalled = stalled ? this.#stalled + 1 : 0;
    this.#noticed = noticed;
    this.#triedThen = tried;
    return this.#stalled >= STALLED_REPORTS;
  }
}
