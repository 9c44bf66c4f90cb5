// Which way to the frames is tried next. No sockets, no timers: it is told how each way ended.
//
// The rungs, best first: one streaming WebSocket; MJPEG, which needs only HTTP answers that do not end; polls,
// which need nothing but HTTP.

import type { Ending } from "./feed.ts";

export type FeedKind = "ws" | "mjpeg" | "rest";
export const FEED_KINDS: readonly FeedKind[] = ["ws", "mjpeg", "rest"];
/** What the address asks for; `auto` starts at the top. */
export type LinkChoice = FeedKind | "auto";

/** WebSockets that did not open, in a row, before the next rung is tried. */
const FAILURES_BEFORE_HTTP = 3;

export class Ladder {
  readonly #choice: LinkChoice;
  #failures = 0;
  /** Something on the way, or the browser, holds endless answers back: MJPEG is of no use here, also where it was asked for. */
  #holdsBack = false;

  constructor(choice: LinkChoice) {
    this.#choice = choice;
  }

  /** The first to try. */
  get first(): FeedKind {
    if (this.#choice === "mjpeg" && this.#holdsBack) return "rest";
    return this.#choice === "auto" ? "ws" : this.#choice;
  }

  /** Whether a better rung may be tried while `kind` works. */
  climbs(kind: FeedKind): boolean {
    return this.#choice === "auto" && kind !== "ws";
  }

  up(kind: FeedKind): void {
    if (kind === "ws") this.#failures = 0;
  }

  /** `kind` ended so: which is tried next? */
  after(kind: FeedKind, ending: Ending): FeedKind {
    if (ending === "stalled" && kind === "mjpeg") this.#holdsBack = true;
    if (this.#choice !== "auto") return this.first;
    if (ending === "stalled") return "rest";
    if (kind === "ws" && ending === "refused") {
      this.#failures += 1;
      if (this.#failures < FAILURES_BEFORE_HTTP) return "ws";
      return this.#holdsBack ? "rest" : "mjpeg";
    }
    // Where HTTP itself does not work, all take turns until one does.
    return kind === "mjpeg" && ending === "refused" ? "rest" : "ws";
  }
}
