// `framecastStats()` on the window: the page's figures for tests and for a curious person's console. Stable
// names.

import type { CameraFigures } from "./camera.ts";
import type { Wall } from "./wall.ts";

export interface ViewerStats {
  /** `connecting`, `live` or `reconnecting`. */
  link: string;
  /** `ws`, `rest`, or null while not live. */
  transport: string | null;
  /** Server's clock minus the page's, and the round trip it was measured by. */
  clockOffsetMs: number | null;
  roundTripMs: number | null;
  cameras: Record<string, CameraFigures>;
}

declare global {
  // The page's one global.
  var framecastStats: () => unknown;
}

export function exposeStats(wall: Wall): void {
  globalThis.framecastStats = (): ViewerStats => {
    const link = wall.link.state.value;
    return {
      link: link.phase,
      transport: link.phase === "live" ? link.kind : null,
      clockOffsetMs: wall.clock.offsetUs === undefined ? null : wall.clock.offsetUs / 1000,
      roundTripMs: wall.clock.roundTripMs ?? null,
      cameras: wall.figures(),
    };
  };
}
