// Counts the pictures that a video element shows, as the browser reports them one by one.

import { RateMeter, Samples } from "@framecast/shared/rate";

/** Ages kept, as many as of a camera's JPEGs. */
const AGES_KEPT = 600;

/** What the counts are taken from; the element's own in a browser. */
interface Shown {
  presentedFrames: number;
  width: number;
  height: number;
}

export class VideoMeter {
  readonly ages = new Samples(AGES_KEPT);
  readonly #rate = new RateMeter();
  #shown = 0;
  #presented: number | undefined;
  #lastMs: number | undefined;
  #firstMs: number | undefined;
  #size = { width: 0, height: 0 };

  /** Watches the element; returns the release. `ageMs` tells how old a picture is when it is shown. */
  watch(video: HTMLVideoElement, ageMs: () => number | undefined): () => void {
    let handle = 0;
    const heard = (nowMs: number, frame: VideoFrameCallbackMetadata): void => {
      this.count(frame, nowMs, ageMs());
      handle = video.requestVideoFrameCallback(heard);
    };
    this.#presented = undefined;
    handle = video.requestVideoFrameCallback(heard);
    return () => video.cancelVideoFrameCallback(handle);
  }

  count({ presentedFrames, width, height }: Shown, nowMs: number, ageMs: number | undefined): void {
    // The page may have been too busy to be told of each.
    const news = this.#presented === undefined ? 1 : Math.max(1, presentedFrames - this.#presented);
    this.#presented = presentedFrames;
    this.#shown += news;
    const sinceMs = this.#lastMs === undefined ? 0 : nowMs - this.#lastMs;
    for (let index = news - 1; index >= 0; index -= 1) this.#rate.add(0, nowMs - (sinceMs * index) / news);
    this.#lastMs = nowMs;
    this.#firstMs ??= nowMs;
    this.#size = { width, height };
    if (ageMs !== undefined) this.ages.add(ageMs);
  }

  get shown(): number {
    return this.#shown;
  }

  get fps(): number {
    return this.#rate.perSecond();
  }

  get size(): { width: number; height: number } {
    return this.#size;
  }

  /** From the page's start to the first picture. */
  get firstMs(): number | undefined {
    return this.#firstMs;
  }

  /** Since the newest picture was shown. */
  sinceMs(nowMs: number = performance.now()): number {
    return this.#lastMs === undefined ? Number.POSITIVE_INFINITY : nowMs - this.#lastMs;
  }
}
