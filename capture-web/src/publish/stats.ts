// Counts what is sent. The page shows it, and tests read it through `framecastStats()`.

import { RateMeter } from "@framecast/shared/rate";
import type { Path } from "./session.ts";

export class PublishStats {
  readonly rate = new RateMeter();
  sentFrames = 0;
  sentBytes = 0;
  /** Pictures left out because the path was full. */
  skippedFrames = 0;
  /** Pictures left out because the one before was still being encoded. */
  busyFrames = 0;
  path: Path | undefined;
  /** From the opening of the (signaling) WebSocket to the path being usable and to the first frame, the newest time. */
  openMsAfterReached: number | undefined;
  firstFrameMsAfterReached: number | undefined;
  #reachedMs: number | undefined;
  #awaitsFirst = false;

  opened(path: Path, reachedMs: number | undefined): void {
    this.path = path;
    this.#reachedMs = reachedMs;
    this.#awaitsFirst = true;
    this.openMsAfterReached = reachedMs === undefined ? undefined : performance.now() - reachedMs;
  }

  sent(bytes: number): void {
    this.sentFrames += 1;
    this.sentBytes += bytes;
    this.rate.add(bytes);
    if (!this.#awaitsFirst) return;
    this.#awaitsFirst = false;
    this.firstFrameMsAfterReached = this.#reachedMs === undefined ? undefined : performance.now() - this.#reachedMs;
  }

  skipped(): void {
    this.skippedFrames += 1;
  }

  busy(): void {
    this.busyFrames += 1;
  }
}
