// Which of a camera's pictures are taken, when fewer are wanted than it delivers. No clock: the caller
// says what time it is.

/**
 * Lets at most `fps` pictures a second through, evenly. A picture that comes a little early is still taken,
 * because cameras jitter: at a limit equal to the camera's rate nothing may be lost.
 */
export class Pacer {
  #intervalMs: number;
  #dueMs: number | undefined;

  constructor(fps: number) {
    this.#intervalMs = 1000 / fps;
  }

  /** Another rate from the next picture on; the beat goes on from the last one taken. */
  set fps(fps: number) {
    const beforeMs = this.#intervalMs;
    this.#intervalMs = 1000 / fps;
    if (this.#dueMs !== undefined) this.#dueMs += this.#intervalMs - beforeMs;
  }

  take(nowMs: number): boolean {
    const dueMs = this.#dueMs ?? nowMs;
    if (nowMs < dueMs - this.#intervalMs / 4) return false;
    // Keep the beat while on time, by half an interval more than the longest wait of a jittering camera; start a new
    // one after a gap, instead of making up for it in a burst.
    this.#dueMs = nowMs - dueMs > 1.5 * this.#intervalMs ? nowMs + this.#intervalMs : dueMs + this.#intervalMs;
    return true;
  }
}
