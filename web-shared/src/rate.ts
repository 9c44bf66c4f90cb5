// Counting per second, and percentiles: the numbers that the pages show.

/** Length of the window a rate is taken over: steady enough to read, short enough to follow. */
const WINDOW_MS = 1_500;

/** A rate is never taken over less than this, so that the first two frames do not read as hundreds a second. */
const LEAST_MS = 500;

/**
 * Events and bytes per second over the last second and a half. Taken from the distances between events, so
 * that a steady 30 a second reads 30 and not, by where the window happens to cut, 31.
 */
export class RateMeter {
  #events: { atMs: number; bytes: number }[] = [];

  add(bytes: number, nowMs: number = performance.now()): void {
    this.#forget(nowMs);
    this.#events.push({ atMs: nowMs, bytes });
  }

  perSecond(nowMs: number = performance.now()): number {
    return this.#over(nowMs, () => 1);
  }

  bytesPerSecond(nowMs: number = performance.now()): number {
    return this.#over(nowMs, (event) => event.bytes);
  }

  #over(nowMs: number, weight: (event: { bytes: number }) => number): number {
    this.#forget(nowMs);
    const [first, ...rest] = this.#events;
    const last = rest.at(-1);
    if (first === undefined || last === undefined) return 0;
    const usualMs = (last.atMs - first.atMs) / rest.length;
    // An event that is overdue counts against the rate, so that it falls as soon as they stop.
    const overdueMs = Math.max(0, nowMs - last.atMs - usualMs);
    const spanMs = Math.max(LEAST_MS, last.atMs - first.atMs + overdueMs);
    return (rest.reduce((sum, event) => sum + weight(event), 0) * 1000) / spanMs;
  }

  #forget(nowMs: number): void {
    const first = this.#events.findIndex((event) => event.atMs > nowMs - WINDOW_MS);
    this.#events.splice(0, first < 0 ? this.#events.length : first);
  }
}

/** The newest `capacity` numbers, for percentiles. */
export class Samples {
  readonly #capacity: number;
  #values: number[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(value: number): void {
    this.#values.push(value);
    if (this.#values.length > this.#capacity) this.#values.shift();
  }

  get values(): readonly number[] {
    return this.#values;
  }

  /** The smallest value that at least `fraction` of the samples do not exceed; `undefined` if empty. */
  percentile(fraction: number): number | undefined {
    const sorted = [...this.#values].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(fraction * sorted.length) - 1))];
  }
}
