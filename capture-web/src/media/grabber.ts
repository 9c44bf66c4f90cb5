// Takes pictures from a camera track and hands them on as JPEG. Chooses the way that this browser does best;
// the ways themselves are in the neighbouring files. Nothing here knows about the network.

import type { Method } from "../options.ts";
import type { EncodedFrame, EncoderSettings } from "./encoded.ts";
import { ProcessorGrabber } from "./processor-grabber.ts";
import { VideoGrabber } from "./video-grabber.ts";

/** How pictures are really taken, for the statistics. */
export type MethodInUse = "processor" | "worker-processor" | "video" | "canvas";

export interface GrabberEvents {
  onFrame: (frame: EncodedFrame) => void;
  /** A picture was left out because the one before was still being encoded. */
  onBusy: () => void;
  onFailed: (message: string) => void;
}

export interface Grabber {
  readonly method: MethodInUse;
  /** Stops taking pictures. The track stays its owner's. */
  close(): void;
}

/**
 * Starts taking pictures. `video` must show the same track; the ways that read the element use it.
 *
 * Order, best first: frames streamed to a worker (Chromium), the track read inside the worker (Safari),
 * the video element's frames encoded in a worker (Firefox), the element encoded on the page itself.
 */
export async function startGrabber(
  track: MediaStreamTrack,
  video: HTMLVideoElement,
  settings: EncoderSettings,
  method: Method,
  events: GrabberEvents,
): Promise<Grabber> {
  if (method === "auto" || method === "processor") {
    const grabber = await ProcessorGrabber.start(track, settings, events);
    if (grabber !== undefined) return grabber;
  }
  return new VideoGrabber(video, settings, method !== "canvas" && typeof OffscreenCanvas === "function", events);
}
