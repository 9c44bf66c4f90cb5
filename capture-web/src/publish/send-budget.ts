// Whether a frame may be sent now, or must be skipped because it would wait behind another. No sockets and no
// clock: the caller tells sizes and times.

/**
 * Skips a frame while more than one frame's worth is still waiting inside the browser. A frame that waits is
 * an old frame; the next one will be newer.
 *
 * One whole frame, headers and all, must be allowed to wait: Chromium at times goes on counting a data
 * channel's very first message as buffered, although it was delivered, until the next one is sent.
 */
export class SendBudget {
  readonly #lifetimeMs: number;
  #lastBytes = 0;
  #lastMs = Infinity;

  /**
   * `lifetimeMs`: after this time the browser gives up what still waits. Chromium goes on counting it as
   * buffered until the next message comes: whoever waited for the count to fall would wait for good.
   */
  constructor(lifetimeMs = Infinity) {
    this.#lifetimeMs = lifetimeMs;
  }

  /** Whether the frame may go; `bufferedBytes` is what the browser has not handed to the network. */
  allows(bufferedBytes: number, nowMs: number): boolean {
    return bufferedBytes <= this.#lastBytes || nowMs - this.#lastMs >= this.#lifetimeMs;
  }

  /** The frame's messages were given to the browser. */
  sent(messages: readonly Uint8Array[], nowMs: number): void {
    this.#lastBytes = messages.reduce((sum, message) => sum + message.byteLength, 0);
    this.#lastMs = nowMs;
  }
}

/** Frames that may be on their way before anything is known of the link. */
const FIRST_WINDOW = 4;
/** More than this at once is half a second of video at 30 fps. */
const MOST_WINDOW = 16;
/** Delay beyond the link's own that counts as a queue growing somewhere. */
const QUEUE_MS = 60;
/** So many frames in a row that were late although each was alone: it is the link that became longer. */
const ALONE_AND_LATE = 8;

/**
 * Bounds the frames on their way over a TCP connection. TCP's send buffer hides megabytes, which on a slow
 * link is many seconds of old pictures, and the browser shows nothing of it. So each frame is followed by a
 * ping, and the answers tell how long frames really take: the window halves when they take longer than the
 * link needs, and grows by one each time that a whole window of them did not.
 */
export class FlightWindow {
  #window = FIRST_WINDOW;
  /** The link's own time: the shortest flight seen. */
  #bestMs = Infinity;
  #flights = new Map<number, { sentMs: number; full: boolean; alone: boolean }>();
  /** Landings in good time since the window last changed. */
  #good = 0;
  /** Flights that left before the window last shrank say nothing about the smaller window. */
  #shrunkMs = -Infinity;
  #aloneAndLate: number[] = [];

  get window(): number {
    return this.#window;
  }

  allows(): boolean {
    return this.#flights.size < this.#window;
  }

  sent(flight: number, nowMs: number): void {
    this.#flights.set(flight, { sentMs: nowMs, full: this.#flights.size + 1 >= this.#window, alone: this.#flights.size === 0 });
  }

  landed(flight: number, nowMs: number): void {
    const found = this.#flights.get(flight);
    if (found === undefined) return;
    this.#flights.delete(flight);
    const tookMs = nowMs - found.sentMs;
    this.#bestMs = Math.min(this.#bestMs, tookMs);
    if (tookMs <= this.#bestMs * 1.5 + QUEUE_MS) {
      this.#aloneAndLate = [];
      if (found.full) this.#grow();
    } else {
      if (found.alone) this.#learnLonger(tookMs);
      if (found.sentMs > this.#shrunkMs) this.#shrink(nowMs);
    }
  }

  #grow(): void {
    this.#good += 1;
    if (this.#good < this.#window) return;
    this.#window = Math.min(MOST_WINDOW, this.#window + 1);
    this.#good = 0;
  }

  #shrink(nowMs: number): void {
    this.#window = Math.max(1, Math.floor(this.#window / 2));
    this.#shrunkMs = nowMs;
    this.#good = 0;
  }

  /** A frame that was alone on its way stood in no queue of this page's making. */
  #learnLonger(tookMs: number): void {
    this.#aloneAndLate.push(tookMs);
    if (this.#aloneAndLate.length < ALONE_AND_LATE) return;
    this.#bestMs = Math.min(...this.#aloneAndLate);
    this.#aloneAndLate = [];
  }
}
