// Keeps a live HLS picture close to its live edge: a little faster while it is behind, a little slower while it is
// too close, and a jump where it stood still. No elements, no timers: it is asked five times a second.

/** How far behind the edge is best, in seconds: parts of 200 ms, and one on its way. */
export const TARGET_S = 0.45;
/** Changes of speed within this are not worth being heard or seen. */
const SLACK_S = 0.03;
const FASTER = 1.08;
const SLOWER = 0.95;
/** Further behind than this, playing faster would take too long: 1 s takes 12 s. */
const FAR_S = 1.5;
/** While it begins, what was loaded first is left behind: nobody has seen it yet. */
const BEGINNING_MS = 3_000;
const FAR_AT_FIRST_S = 0.7;
/** A picture that stands this long is given up for the newest. */
export const STALL_MS = 1_000;
/** A jump needs its time: before the next, what it leads to has to load. */
const BETWEEN_JUMPS_MS = 1_000;
/** How often the catch-up wants to be asked, in milliseconds. */
export const EVERY_MS = 200;

export interface Playback {
  /** Behind the live edge, in seconds; `undefined` until known. */
  latencyS: number | undefined;
  /** Of the video element. */
  positionS: number;
  nowMs: number;
}

export type Correction = { do: "play"; rate: number } | { do: "jump" };

export class CatchUp {
  #begunMs: number | undefined;
  #positionS = Number.NaN;
  #movedMs: number | undefined;
  #jumpedMs = Number.NEGATIVE_INFINITY;

  next({ latencyS, positionS, nowMs }: Playback): Correction {
    this.#begunMs ??= nowMs;
    if (!hasStood(this.#positionS, positionS) || this.#movedMs === undefined) {
      this.#positionS = positionS;
      this.#movedMs = nowMs;
    }
    const stalled = nowMs - this.#movedMs >= STALL_MS;
    const far = latencyS !== undefined && latencyS > (nowMs - this.#begunMs < BEGINNING_MS ? FAR_AT_FIRST_S : FAR_S);
    if ((stalled || far) && nowMs - this.#jumpedMs >= BETWEEN_JUMPS_MS) {
      this.#jumpedMs = nowMs;
      this.#movedMs = nowMs;
      return { do: "jump" };
    }
    return { do: "play", rate: rateFor(latencyS) };
  }
}

/** Whether a video stands: one at the end of what has loaded creeps on by milliseconds. */
export function hasStood(beforeS: number, positionS: number): boolean {
  return Math.abs(positionS - beforeS) < 0.04;
}

function rateFor(latencyS: number | undefined): number {
  if (latencyS === undefined) return 1;
  if (latencyS > TARGET_S + SLACK_S) return FASTER;
  return latencyS < TARGET_S - SLACK_S ? SLOWER : 1;
}
