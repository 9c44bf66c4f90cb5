// The server's clock as seen from this page. Everything that is shown as an age, and every capture time
// that is sent, goes through here. No socket: the caller sends the pings and feeds the answers in.

/** This page's clock: Unix microseconds that never step back while the page lives. */
export function localNowUs(): number {
  return (performance.timeOrigin + performance.now()) * 1000;
}

interface Sample {
  offsetUs: number;
  roundTripUs: number;
}

/** How many ping answers are kept: enough to catch a quiet moment, few enough to follow a drifting clock. */
const SAMPLES_KEPT = 8;

/**
 * Estimates the offset between the page's clock and the server's. Of the last eight samples the one with
 * the shortest round trip counts, because its error is bounded by half that round trip.
 */
export class ServerClock {
  #samples: Sample[] = [];
  #best: Sample | undefined;
  readonly #nowUs: () => number;

  constructor(nowUs: () => number = localNowUs) {
    this.#nowUs = nowUs;
  }

  /** A ping left at `sentUs` (this page's clock); its answer, arriving now, says `serverUs`. */
  addSample(sentUs: number, serverUs: number): void {
    const receivedUs = this.#nowUs();
    const roundTripUs = receivedUs - sentUs;
    if (!(roundTripUs >= 0) || !Number.isFinite(serverUs)) return;
    this.#samples.push({ roundTripUs, offsetUs: serverUs + roundTripUs / 2 - receivedUs });
    if (this.#samples.length > SAMPLES_KEPT) this.#samples.shift();
    this.#best = this.#samples.reduce((best, sample) => (sample.roundTripUs < best.roundTripUs ? sample : best));
  }

  /** Server minus page, in microseconds; `undefined` until the first answer. */
  get offsetUs(): number | undefined {
    return this.#best?.offsetUs;
  }

  /** The shortest round trip of the kept samples, in milliseconds. */
  get roundTripMs(): number | undefined {
    return this.#best === undefined ? undefined : this.#best.roundTripUs / 1000;
  }

  /** Now on the server's clock; `undefined` until the first answer. */
  nowUs(): number | undefined {
    return this.toServerUs(this.#nowUs());
  }

  /** A time of this page's clock on the server's clock. */
  toServerUs(localUs: number): number | undefined {
    return this.#best === undefined ? undefined : localUs + this.#best.offsetUs;
  }

  /** Another server, another clock: forget everything. */
  reset(): void {
    this.#samples = [];
    this.#best = undefined;
  }
}

/**
 * When to send clock pings after a connection opens: a few at once, so that the first picture already
 * carries a usable time, then seldom.
 */
export const PING_BURST_MS: readonly number[] = [0, 40, 120, 300, 700];
export const PING_EVERY_MS = 2_000;
