// Automatic quality: which step of the ladder to send, from what a second of sending looked like. No clock, no
// sockets, no camera: it is fed one `Second` after another.
//
// Down at once where it is plainly too much, after two bad seconds where it is a little; up by one step after a
// while that was good. A step up that has to be taken back doubles that while, so that a link between two
// steps is tried seldom instead of being swung around.

import type { EncoderSettings } from "../media/encoded.ts";
import { ladder } from "./ladder.ts";

/** What a second of sending looked like. */
export interface Second {
  /** Pictures that were there to be sent. */
  tried: number;
  /** Of these, left out because the path was full. */
  skipped: number;
  /** What waited inside the browser when a picture came, on average, in pictures. */
  waiting: number;
  /** Pictures that the server got, and those that it knows it lost. */
  arrived: number;
  lost: number;
  /** From taking a picture to having it at the server; `undefined` while clocks are not compared. */
  ageMs: number | undefined;
  /** Time to encode one, on average. */
  encodeMs: number | undefined;
}

/** What keeps the pictures from being what is wanted. */
export type Reason = "network" | "loss" | "encoder";

type Verdict = { kind: "good" } | { kind: "fair" } | { kind: "bad" | "severe"; reason: Reason };

/** Good seconds before the first step up, and the most that failed attempts make of them. */
const FIRST_PATIENCE = 5;
const MOST_PATIENCE = 60;
/** A step up that held so many seconds was right. */
const PROBATION = 10;
/** Steps down at once when hardly anything gets through. */
const SEVERE_STEPS = 2;
/** Ages above the link's own that tell of a queue, and that do not. */
const LATE_MS = 150;
const PROMPT_MS = 75;
/** How fast a longer way is learned to be the link's own: in a minute, what counts as late. */
const AGE_DRIFT_MS = 2.5;

export class QualityControl {
  #steps: readonly EncoderSettings[];
  #level = 0;
  #reason: Reason | undefined;
  #patience = FIRST_PATIENCE;
  #good = 0;
  #bad = 0;
  /** Seconds since the newest step up that has not proved itself. */
  #sinceUp: number | undefined;
  /** The next second is partly of the step before. */
  #settling = false;
  #bestAgeMs = Infinity;

  constructor(wanted: EncoderSettings) {
    this.#steps = ladder(wanted);
  }

  /** What to send now. */
  get settings(): EncoderSettings {
    return this.#steps[this.#level] ?? this.wanted;
  }

  get wanted(): EncoderSettings {
    // A ladder has at least its first step.
    return this.#steps[0] as EncoderSettings;
  }

  /** Steps below what is wanted; 0 is all of it. */
  get level(): number {
    return this.#level;
  }

  get steps(): number {
    return this.#steps.length;
  }

  /** Why it is below what is wanted. */
  get reason(): Reason | undefined {
    return this.#level === 0 ? undefined : this.#reason;
  }

  /** Something else is wanted from now on; what is known of the link stays known. */
  want(wanted: EncoderSettings): void {
    this.#steps = ladder(wanted);
    this.#level = Math.min(this.#level, this.#steps.length - 1);
    this.#settling = true;
  }

  /** Another way to the server: its delays are its own, and all is worth another try. */
  newPath(): void {
    this.#bestAgeMs = Infinity;
    this.#patience = FIRST_PATIENCE;
    this.#good = 0;
    this.#bad = 0;
    this.#sinceUp = undefined;
    this.#settling = true;
  }

  /** Answers whether `settings` changed. */
  second(second: Second): boolean {
    if (second.tried === 0) return false;
    const verdict = this.#judge(second);
    if (this.#settling && verdict.kind !== "severe") {
      this.#settling = false;
      return false;
    }
    this.#settling = false;
    if (this.#sinceUp !== undefined) this.#sinceUp += 1;
    switch (verdict.kind) {
      case "severe":
        return this.#down(verdict.reason, SEVERE_STEPS);
      case "bad":
        this.#good = 0;
        this.#bad += 1;
        return this.#bad >= 2 && this.#down(verdict.reason, 1);
      case "fair":
        this.#bad = 0;
        // Half as good: a device that is always a little late must not stay low for ever.
        this.#good += 0.5;
        return this.#good >= this.#patience && this.#up();
      case "good":
        this.#bad = 0;
        this.#good += 1;
        this.#proveStepUp();
        return this.#good >= this.#patience && this.#up();
    }
  }

  #judge(second: Second): Verdict {
    const { tried, skipped, waiting, arrived, lost, ageMs, encodeMs } = second;
    const skippedShare = skipped / tried;
    const lostShare = lost / Math.max(1, lost + arrived);
    if (ageMs !== undefined) this.#bestAgeMs = Math.min(this.#bestAgeMs + AGE_DRIFT_MS, ageMs);
    const lateMs = ageMs === undefined ? 0 : ageMs - this.#bestAgeMs;
    // One picture more or less is the chance of where the second was cut.
    if (skipped > 1 && skippedShare > 0.5) return { kind: "severe", reason: "network" };
    if (lost > 1 && lostShare > 0.3) return { kind: "severe", reason: "loss" };
    if (skipped > 1 && skippedShare > 0.07) return { kind: "bad", reason: "network" };
    if (lost > 1 && lostShare > 0.05) return { kind: "bad", reason: "loss" };
    if (waiting > 1 || lateMs > LATE_MS) return { kind: "bad", reason: "network" };
    const busy = encodeMs === undefined ? 0 : (encodeMs * this.settings.fps) / 1000;
    if (busy > 0.9) return { kind: "bad", reason: "encoder" };
    const good = skippedShare <= 0.03 && lostShare <= 0.01 && waiting < 0.5 && lateMs < PROMPT_MS && busy < 0.6;
    return { kind: good ? "good" : "fair" };
  }

  #down(reason: Reason, steps: number): boolean {
    // A step up that had to be taken back at once: wait longer before the next.
    if (this.#sinceUp !== undefined) this.#patience = Math.min(MOST_PATIENCE, this.#patience * 2);
    return this.#move(this.#level + steps, reason);
  }

  #up(): boolean {
    const moved = this.#move(this.#level - 1, this.#reason);
    if (moved) this.#sinceUp = 0;
    return moved;
  }

  #move(level: number, reason: Reason | undefined): boolean {
    const before = this.#level;
    this.#level = Math.max(0, Math.min(this.#steps.length - 1, level));
    this.#reason = reason;
    this.#good = 0;
    this.#bad = 0;
    this.#sinceUp = undefined;
    this.#settling = this.#level !== before;
    return this.#level !== before;
  }

  #proveStepUp(): void {
    if (this.#sinceUp === undefined || this.#sinceUp < PROBATION) return;
    this.#sinceUp = undefined;
    this.#patience = Math.max(FIRST_PATIENCE, this.#patience / 2);
  }
}
