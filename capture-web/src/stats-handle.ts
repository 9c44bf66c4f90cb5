// `framecastStats()` on the window: the page's figures for tests and for a curious person's console. Stable
// names; docs/protocol.md explains none of them, they are the page's own.

import type { Station } from "./station.ts";

export interface CaptureStats {
  /** The state's name, as in `data-state`. */
  state: string;
  /** `webrtc`, `websocket`, or null while not live. */
  path: string | null;
  /** How pictures are taken: `processor`, `worker-processor`, `video` or `canvas`. */
  method: string | null;
  /** Frames and bytes since the start. */
  sent: number;
  sentBytes: number;
  /** Pictures left out because one before was still waiting to be sent. */
  skipped: number;
  /** Pictures left out because one before was still being encoded. */
  busy: number;
  /** What the pictures are encoded to; `level` 0 is all that is wanted. */
  quality: { fixed: boolean; level: number; steps: number; reason: string | null; quality: number; width: number; height: number; fps: number };
  /** Of the newest picture. */
  encodeMs: number | null;
  /** Frames and kilobytes a second, over the last second and a half. */
  fps: number;
  kilobytesPerSecond: number;
  /** From the newest opening of the (signaling) WebSocket to the path being open, and to the first frame. */
  openMsAfterSignalOpen: number | null;
  firstFrameMsAfterSignalOpen: number | null;
  width: number;
  height: number;
  /** Server's clock minus the page's, and the round trip it was measured by. */
  clockOffsetMs: number | null;
  roundTripMs: number | null;
  /** The server's newest report. */
  server: { received: number; receivedFps: number; lost: number; refused: number; duplicates: number; ageMs: number | null } | null;
}

declare global {
  // The page's one global.
  var framecastStats: () => unknown;
}

export function exposeStats(station: Station): void {
  globalThis.framecastStats = (): CaptureStats => readStats(station);
}

export function readStats(station: Station): CaptureStats {
  const { stats, picture, control, settings } = station;
  const clock = station.publisher?.clock;
  const state = station.state.value;
  const feedback = station.feedback.value;
  return {
    state: state.phase,
    path: state.phase === "live" ? state.path : null,
    method: station.method ?? null,
    sent: stats.sentFrames,
    sentBytes: stats.sentBytes,
    skipped: stats.skippedFrames,
    busy: stats.busyFrames,
    quality: { ...settings, fixed: station.fixed, level: station.fixed ? 0 : control.level, steps: control.steps, reason: control.reason ?? null },
    encodeMs: picture?.encodeMs ?? null,
    fps: stats.rate.perSecond(),
    kilobytesPerSecond: stats.rate.bytesPerSecond() / 1000,
    openMsAfterSignalOpen: stats.openMsAfterReached ?? null,
    firstFrameMsAfterSignalOpen: stats.firstFrameMsAfterReached ?? null,
    width: picture?.width ?? 0,
    height: picture?.height ?? 0,
    clockOffsetMs: clock?.offsetUs === undefined ? null : clock.offsetUs / 1000,
    roundTripMs: clock?.roundTripMs ?? null,
    server: feedback === undefined ? null : { ...feedback, ageMs: feedback.ageMs ?? null },
  };
}
