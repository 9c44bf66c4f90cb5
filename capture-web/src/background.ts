// What a hidden page still manages, in words. Browsers slow hidden pages, or stop their cameras; nothing can be done
// about it, but it can be told. No clock and no DOM: the caller says what time it is.

/** Less than this share of the wanted pictures is worth telling. */
const SLOWED = 0.8;
/** A glance at another tab says nothing. */
const LEAST_MS = 3_000;

export class BackgroundWatch {
  #since: { atMs: number; pictures: number } | undefined;

  /** The page went out of sight; `pictures` is how many were taken until now. */
  hidden(atMs: number, pictures: number): void {
    this.#since = { atMs, pictures };
  }

  /** Pictures a second since the page is hidden; `undefined` where it is in sight, or not long enough out of it. */
  rate(atMs: number, pictures: number): number | undefined {
    const since = this.#since;
    if (since === undefined || atMs - since.atMs < LEAST_MS) return undefined;
    return ((pictures - since.pictures) * 1000) / (atMs - since.atMs);
  }

  /** The page is in sight again. Answers what to tell, if the camera suffered. */
  shown(atMs: number, pictures: number, wantedFps: number): string | undefined {
    const rate = this.rate(atMs, pictures);
    this.#since = undefined;
    if (rate === undefined || rate >= SLOWED * wantedFps) return undefined;
    const got = rate < 0.05 ? "no pictures" : `only ${rate.toFixed(1)} pictures a second`;
    return `While this page was in the background, the browser took ${got}. Keep it in front, in a window of its own.`;
  }
}
