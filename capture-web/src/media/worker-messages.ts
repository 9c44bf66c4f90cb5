// What the page and its encoder worker say to each other. Types only.

import type { EncoderSettings } from "./encoded.ts";

/** What `MediaStreamTrackProcessor` gives; TypeScript's libraries do not know it yet. */
export interface TrackProcessor {
  readonly readable: ReadableStream<VideoFrame>;
}

export type TrackProcessorConstructor = new (init: { track: MediaStreamTrack; maxBufferSize?: number }) => TrackProcessor;

/** The constructor, where this global scope (a page in Chromium, a worker in Safari) has it. */
export function trackProcessor(scope: object): TrackProcessorConstructor | undefined {
  return (scope as { MediaStreamTrackProcessor?: TrackProcessorConstructor }).MediaStreamTrackProcessor;
}

/** Where the worker's pictures come from. */
export type Source = { frames: ReadableStream<VideoFrame> } | { track: MediaStreamTrack } | "bitmaps";

export type ToWorker =
  | { type: "start"; settings: EncoderSettings; source: Source }
  /** With the source `bitmaps`: one picture. The next comes only after the `frame` for this one. */
  | { type: "bitmap"; bitmap: ImageBitmap; capturedUs: number }
  /** From the next picture on. */
  | { type: "settings"; settings: EncoderSettings }
  /** Send a `beat` this often from now on, or no more: browsers slow a hidden page's timers, not a worker's. */
  | { type: "beat"; everyMs: number | undefined };

export type FromWorker =
  | { type: "frame"; jpeg: ArrayBuffer; capturedUs: number; width: number; height: number; encodeMs: number }
  | { type: "beat" }
  /** This worker cannot read the source it was given. */
  | { type: "unsupported" }
  /** The pictures have ended: the camera is gone. */
  | { type: "ended" }
  | { type: "failed"; message: string };
