// Notices a channel that says it is open and carries nothing. No clock of its own: it counts the server's
// once-a-second feedback.

/** Consecutive reports without a new frame, while frames were to be sent, after which a path is dead. */
const STALLED_REPORTS = 4;

export class Progress {
  #received = -1;
  #triedThen = 0;
  #stalled = 0;

  /** The server's total of frames, and how many were to be sent until now. Answers whether the path is dead. */
  report(received: number, tried: number): boolean {
    const stalled = received === this.#received && tried > this.#triedThen;
    this.#stalled = stalled ? this.#stalled + 1 : 0;
    this.#received = received;
    this.#triedThen = tried;
    return this.#stalled >= STALLED_REPORTS;
  }
}
