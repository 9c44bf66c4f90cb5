// `framecastStats()` on the window: the page's figures for tests and for a curious person's console. Stable
// names.

import type { CameraFigures } from "./camera.ts";
import type { Wall } from "./wall.ts";

export interface ViewerStats {
  /** `connecting`, `live` or `reconnecting`. */
  link: string;
  /** `ws`, `mjpeg`, `rest`, or null while not live. */
  transport: string | null;
  /** `worker`, or `page` where pictures are decoded on the page's own thread. */
  thread: string;
  /** Server's clock minus the page's, and the round trip it was measured by. */
  clockOffsetMs: number | null;
  roundTripMs: number | null;
  /** A fifth of a second old at most. */
  cameras: Record<string, CameraFigures>;
}

declare global {
  // The page's one global.
  var framecastStats: () => unknown;
}

export function exposeStats(wall: Wall): void {
  globalThis.framecastStats = (): ViewerStats => {
    const link = wall.link.value;
    return {
      link: link.phase,
      transport: link.phase === "live" ? link.kind : null,
      thread: wall.thread,
      clockOffsetMs: wall.clockOffsetUs === undefined ? null : wall.clockOffsetUs / 1000,
      roundTripMs: wall.roundTripMs ?? null,
      cameras: wall.figures(),
    };
  };
}
