// Pictures from the video element, for browsers without MediaStreamTrackProcessor. Encoded in a worker where
// there is OffscreenCanvas, else on the page. Browsers draw no frames of a hidden tab, so there a timer sets the
// beat: the worker's, or the page's, which browsers slow. How many pictures come then is the browser's choice, and
// the page tells it.

import { localNowUs } from "@framecast/shared/clock";
import { Pacer } from "@framecast/shared/pacer";
import { Releases } from "@framecast/shared/releases";
import { fit, type EncoderSettings } from "./encoded.ts";
import type { EncoderWorker } from "./encoder-worker.ts";
import type { Grabber, GrabberEvents } from "./grabber.ts";

/** A browser that made no frame callback until then makes none. */
const SILENT_MS = 1_000;

export class VideoGrabber implements Grabber {
  readonly method: "video" | "canvas";
  readonly #video: HTMLVideoElement;
  readonly #events: GrabberEvents;
  readonly #pacer: Pacer;
  readonly #releases = new Releases();
  readonly #worker: EncoderWorker | undefined;
  readonly #canvas: HTMLCanvasElement | undefined;
  #settings: EncoderSettings;
  #busy = false;
  /** The element's time of the last picture taken by a timer, which must not take the same one again. */
  #shownAt = -1;
  #beat: ReturnType<typeof setInterval> | undefined;

  /** Without a worker, the page itself encodes. */
  constructor(video: HTMLVideoElement, settings: EncoderSettings, worker: EncoderWorker | undefined, events: GrabberEvents) {
    this.method = worker !== undefined ? "video" : "canvas";
    this.#video = video;
    this.#settings = settings;
    this.#events = events;
    this.#pacer = new Pacer(settings.fps);
    if (worker !== undefined) {
      this.#releases.add(() => worker.close());
      worker.start(settings, "bitmaps", events);
      this.#worker = worker;
    } else {
      this.#canvas = document.createElement("canvas");
    }
    if (typeof video.requestVideoFrameCallback === "function") this.#followVideo();
    // Without frame callbacks the camera's beat is unknown; looking twice as often as needed misses little.
    else this.#releases.every(500 / settings.fps, () => this.#takeNew());
  }

  configure(settings: EncoderSettings): void {
    this.#settings = settings;
    this.#pacer.fps = settings.fps;
    this.#worker?.configure(settings);
  }

  close(): void {
    this.#releases.close();
  }

  #followVideo(): void {
    let handle = 0;
    let isSilent = true;
    let beat: ReturnType<typeof setInterval> | undefined;
    const next = (nowMs: number, metadata?: VideoFrameCallbackMetadata): void => {
      isSilent = false;
      clearInterval(beat);
      handle = this.#video.requestVideoFrameCallback(next);
      const takenMs = metadata?.captureTime ?? nowMs;
      this.#take((performance.timeOrigin + takenMs) * 1000);
    };
    handle = this.#video.requestVideoFrameCallback(next);
    this.#releases.add(() => this.#video.cancelVideoFrameCallback(handle));
    this.#releases.listen(document, "visibilitychange", () => this.#beatWhileHidden());
    this.#releases.add(() => clearInterval(this.#beat));
    this.#beatWhileHidden();
    // WebKitGTK without a graphics card has these callbacks and never makes one, though the picture moves.
    this.#releases.after(SILENT_MS, () => {
      if (!isSilent) return;
      beat = setInterval(() => this.#takeNew(), 500 / this.#settings.fps);
    });
    this.#releases.add(() => clearInterval(beat));
  }

  #beatWhileHidden(): void {
    const everyMs = document.visibilityState === "hidden" ? 500 / this.#settings.fps : undefined;
    this.#worker?.beat(everyMs, () => this.#takeNew());
    if (this.#worker !== undefined) return;
    clearInterval(this.#beat);
    if (everyMs !== undefined) this.#beat = setInterval(() => this.#takeNew(), everyMs);
  }

  #takeNew(): void {
    const shownAt = this.#video.currentTime;
    if (shownAt === this.#shownAt) return;
    this.#shownAt = shownAt;
    this.#take(localNowUs());
  }

  #take(capturedUs: number): void {
    if (this.#video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || !this.#pacer.take(capturedUs / 1000)) return;
    if (this.#busy || this.#worker?.busy === true) {
      this.#events.onBusy();
      return;
    }
    this.#busy = true;
    const taken = this.#worker === undefined ? this.#encodeHere(capturedUs) : this.#handToWorker(this.#worker, capturedUs);
    taken
      .catch((error: unknown) => {
        if (!this.#releases.closed) this.#events.onFailed(String(error));
      })
      .finally(() => (this.#busy = false));
  }

  async #handToWorker(worker: EncoderWorker, capturedUs: number): Promise<void> {
    const bitmap = await createImageBitmap(this.#video);
    if (this.#releases.closed) bitmap.close();
    else worker.encode(bitmap, capturedUs);
  }

  async #encodeHere(capturedUs: number): Promise<void> {
    const canvas = this.#canvas;
    if (canvas === undefined) return;
    const startMs = performance.now();
    const { width, height } = fit(this.#video.videoWidth, this.#video.videoHeight, this.#settings);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    canvas.getContext("2d", { alpha: false, willReadFrequently: true })?.drawImage(this.#video, 0, 0, width, height);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", this.#settings.quality));
    if (blob === null) throw new Error("the browser could not encode a picture");
    const jpeg = new Uint8Array(await blob.arrayBuffer());
    if (!this.#releases.closed) this.#events.onFrame({ jpeg, capturedUs, width, height, encodeMs: performance.now() - startMs });
  }
}
