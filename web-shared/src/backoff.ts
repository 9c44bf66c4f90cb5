// How long to wait before the next connection attempt. No timers here; the caller owns those.

export interface BackoffOptions {
  /** Upper bound of the first wait. */
  firstMs: number;
  /** Upper bound of every wait. */
  maxMs: number;
  /** A connection that lived this long starts over from `firstMs` when it ends. */
  steadyMs: number;
  /** In [0, 1); replaced in tests. */
  random: () => number;
}

const DEFAULTS: BackoffOptions = { firstMs: 500, maxMs: 10_000, steadyMs: 10_000, random: Math.random };

/**
 * Jittered exponential backoff: the bound doubles from attempt to attempt, and each wait is drawn from the
 * upper half below it, so that the pages of a restarted server neither come back all at once nor hammer it.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempts = 0;

  constructor(options: Partial<BackoffOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Failed attempts since the last steady connection. */
  get attempts(): number {
    return this.#attempts;
  }

  /** The wait before the next attempt, in milliseconds. */
  next(): number {
    const { firstMs, maxMs, random } = this.#options;
    const bound = Math.min(maxMs, firstMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    return Math.round(bound / 2 + (bound / 2) * random());
  }

  /**
   * Tells how long a connection lived. Only a steady one resets the bound: a server that accepts and
   * drops at once must not be asked twice a second for ever.
   */
  lived(milliseconds: number): void {
    if (milliseconds >= this.#options.steadyMs) this.#attempts = 0;
  }

  reset(): void {
    this.#attempts = 0;
  }
}
