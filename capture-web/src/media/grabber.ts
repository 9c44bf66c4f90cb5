// Takes pictures from a camera track and hands them on as JPEG. Chooses the way that this browser does best;
// the ways themselves are in the neighbouring files. Nothing here knows about the network.

import type { Method } from "../options.ts";
import type { EncodedFrame, EncoderSettings } from "./encoded.ts";
import { EncoderWorker } from "./encoder-worker.ts";
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
  /** From the next picture on. */
  configure(settings: EncoderSettings): void;
  /** Stops taking pictures. The track stays its owner's. */
  close(): void;
}

/** Loads what encodes in the background; `undefined` where this browser has to encode on the page. */
export function prepareEncoder(method: Method): EncoderWorker | undefined {
  return method === "canvas" || typeof OffscreenCanvas !== "function" ? undefined : new EncoderWorker();
}

/**
 * Starts taking pictures, and takes `worker` over. `video` must show the same track; the ways that read the element use it.
 *
 * Order, best first: frames streamed to a worker (Chromium), the track read inside the worker (Safari),
 * the video element's frames encoded in a worker (Firefox), the element encoded on the page itself.
 */
export async function startGrabber(
  track: MediaStreamTrack,
  video: HTMLVideoElement,
  settings: EncoderSettings,
  method: Method,
  worker: EncoderWorker | undefined,
  events: GrabberEvents,
): Promise<Grabber> {
  if (worker !== undefined && (method === "auto" || method === "processor")) {
    const grabber = await ProcessorGrabber.start(track, settings, worker, events);
    if (grabber !== undefined) return grabber;
    // What the worker was given it cannot give back; the next way starts with a new one.
    worker.close();
    return new VideoGrabber(video, settings, new EncoderWorker(), events);
  }
  return new VideoGrabber(video, settings, worker, events);
}
