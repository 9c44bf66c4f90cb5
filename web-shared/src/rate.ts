// Counting per second, and percentiles: the numbers that the pages show.

/** Length of the window a rate is taken over: steady enough to read, short enough to follow. */
const WINDOW_MS = 1_500;

/** Events and bytes per second over the last second and a half. */
export class RateMeter {
  #events: { atMs: number; bytes: number }[] = [];
  #startedMs: number | undefined;

  add(bytes: number, nowMs: number = performance.now()): void {
    this.#forget(nowMs);
    this.#startedMs ??= nowMs;
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
    if (this.#startedMs === undefined || this.#events.length === 0) return 0;
    // A meter younger than its window divides by its own age, but never by so little that the first
    // two frames read as hundreds a second.
    const spanMs = Math.min(WINDOW_MS, Math.max(500, nowMs - this.#startedMs));
    return (this.#events.reduce((sum, event) => sum + weight(event), 0) * 1000) / spanMs;
  }

  #forget(nowMs: number): void {
    const first = this.#events.findIndex((event) => event.atMs > nowMs - WINDOW_MS);
    if (first > 0) this.#events.splice(0, first);
    else if (first < 0) {
      this.#events = [];
      this.#startedMs = undefined;
    }
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
