// Which way to a camera's video is tried next. No elements, no timers: it is told how each way ended.

import { Backoff } from "@framecast/shared/backoff";
import { RUNGS, type Rung, type WayEnd, type Why } from "./way.ts";

/** What the address asks for; `auto` starts at the top. */
export type PlayChoice = Rung | "auto";

export type Step =
  /** Try this one, now. */
  | { do: "try"; rung: Rung }
  /** Nothing works at the moment; from the top after this. */
  | ({ do: "wait"; waitMs: number } & Why);

/** The server goes on dialling a camera for 15 s after it was last asked for: asked sooner, it never stops. */
const MOST_WAIT_MS = 10_000;
/** While a lower rung works, a better one is tried beside it after this, then after twice that, and so on. */
const CLIMB_MS = 20_000;
const MOST_CLIMB_MS = 300_000;

/** `?play=whep|hls|jpeg`, or the page's `?transport=` where it asks for pictures. */
export function readPlayChoice(query: URLSearchParams): PlayChoice {
  const play = query.get("play") ?? query.get("transport");
  const forced = RUNGS.find((rung) => rung === play);
  if (forced !== undefined) return forced;
  return play === "mjpeg" || play === "rest" ? "jpeg" : "auto";
}

export class PlayLadder {
  readonly #choice: PlayChoice;
  readonly #backoff: Backoff;
  readonly #out = new Map<Rung, string>();
  #climbMs = CLIMB_MS;

  constructor(choice: PlayChoice, random: () => number = Math.random) {
    this.#choice = choice;
    this.#backoff = new Backoff({ firstMs: 1_000, maxMs: MOST_WAIT_MS, random });
  }

  /** The best rung that may work, or the wait where there is none. */
  get top(): Step {
    return this.#from(0, undefined);
  }

  /** This rung cannot work while the camera and the browser are what they are; `undefined`: it may again. */
  rule(rung: Rung, why: string | undefined): void {
    if (why === undefined) this.#out.delete(rung);
    else this.#out.set(rung, why);
  }

  /** The camera's video is another now: what could not be played before may be. */
  renew(): void {
    this.#out.clear();
    this.#climbMs = CLIMB_MS;
  }

  /** `rung` shows pictures; `steadyMs` later that counts as having worked. */
  lived(rung: Rung, milliseconds: number): void {
    this.#backoff.lived(milliseconds);
    if (rung === RUNGS[0]) this.#climbMs = CLIMB_MS;
  }

  /** `rung` ended so: what now? */
  after(rung: Rung, end: WayEnd): Step {
    const { ending, reason } = end;
    if (ending === "unsupported") this.rule(rung, reason);
    if (ending === "unavailable") return this.#wait(end);
    // The same way once more, and only if that does not open, the next: connections end for many reasons.
    if (ending === "lost") return { do: "try", rung };
    if (this.#choice !== "auto") return this.#wait(end);
    return this.#from(RUNGS.indexOf(rung) + 1, ending === "unsupported" ? undefined : { reason });
  }

  /** What to try beside `rung`, which works, and after how long; `undefined` where there is nothing better. */
  climb(rung: Rung): { rungs: Rung[]; afterMs: number } | undefined {
    if (this.#choice !== "auto") return undefined;
    const rungs = RUNGS.slice(0, RUNGS.indexOf(rung)).filter((better) => !this.#out.has(better));
    if (rungs.length === 0) return undefined;
    const afterMs = this.#climbMs;
    this.#climbMs = Math.min(MOST_CLIMB_MS, this.#climbMs * 2);
    return { rungs, afterMs };
  }

  /** `failure`: why the rung above did not work, though it could have. */
  #from(index: number, failure: Why | undefined): Step {
    const rungs: readonly Rung[] = this.#choice === "auto" ? RUNGS.slice(index) : [this.#choice];
    const rung = rungs.find((each) => !this.#out.has(each));
    if (rung !== undefined) return { do: "try", rung };
    // Where nothing can work, what stands in the way of the last resort is what a person can do something about.
    const rule = this.#out.get(this.#choice === "auto" ? "jpeg" : this.#choice);
    if (failure !== undefined) return this.#wait(failure);
    return { do: "wait", reason: rule ?? "This browser cannot play the camera's video.", waitMs: Number.POSITIVE_INFINITY };
  }

  #wait({ reason, code, retryMs }: Why & Pick<WayEnd, "retryMs">): Step {
    return { do: "wait", reason, code, waitMs: Math.max(retryMs ?? 0, this.#backoff.next()) };
  }
}
