// Plays a camera over WebRTC.

import type { OpenWay, WayEvents } from "./way.ts";

export const openWhep = (_camera: string, _video: HTMLVideoElement, events: WayEvents): ReturnType<OpenWay> => {
  queueMicrotask(() => events.onEnd({ ending: "failed", reason: "There is no WebRTC here." }));
  return { figures: { bytesPerSecond: 0, latencyMs: undefined }, close: () => undefined };
};
