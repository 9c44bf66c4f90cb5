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

/** While a lower rung works, how often the better one is tried again; MJPEG twice as long after each stall. */
const CLIMB_MS = 20_000;
const MOST_CLIMB_MS = 300_000;

export class Ladder {
  readonly #choice: LinkChoice;
  #failures = 0;
  /** Something on the way, or the browser, holds endless answers back: MJPEG is of no use here, also where it was asked for. */
  #holdsBack = false;
  /** It is the browser, which stays what it is. */
  #isUnable = false;
  /** How often pictures were held back. */
  #stalls = 0;

  constructor(choice: LinkChoice) {
    this.#choice = choice;
  }

  /** The first to try. */
  get first(): FeedKind {
    if (this.#choice === "mjpeg" && this.#holdsBack) return "rest";
    return this.#choice === "auto" ? "ws" : this.#choice;
  }

  /** The better rung that may be tried while `kind` works, and after how long. */
  climb(kind: FeedKind): { kind: FeedKind; afterMs: number } | undefined {
    if (this.#choice === "auto" && kind !== "ws") return { kind: "ws", afterMs: CLIMB_MS };
    // One camera's stall says little of the others, and less of later; but each attempt may cost a pause.
    if (this.#choice === "mjpeg" && kind === "rest" && !this.#isUnable) return { kind: "mjpeg", afterMs: Math.min(CLIMB_MS * 2 ** Math.max(0, this.#stalls - 1), MOST_CLIMB_MS) };
    return undefined;
  }

  up(kind: FeedKind): void {
    if (kind === "ws") this.#failures = 0;
    // After a stall it is up only once it has brought a picture.
    if (kind === "mjpeg") this.#holdsBack = false;
  }

  /** `kind` ended so: which is tried next? */
  after(kind: FeedKind, ending: Ending): FeedKind {
    const isHeldBack = ending === "stalled" || ending === "unable";
    if (isHeldBack) {
      this.#holdsBack = true;
      this.#stalls += 1;
      if (ending === "unable") this.#isUnable = true;
    }
    if (this.#choice !== "auto") return this.first;
    if (isHeldBack) return "rest";
    if (kind === "ws" && ending === "refused") {
      this.#failures += 1;
      if (this.#failures < FAILURES_BEFORE_HTTP) return "ws";
      return this.#holdsBack ? "rest" : "mjpeg";
    }
    // Where HTTP itself does not work, all take turns until one does.
    return kind === "mjpeg" && ending === "refused" ? "rest" : "ws";
  }
}
