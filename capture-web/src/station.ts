// A camera and its publisher, brought together: what the page's buttons do. It owns the track, the grabber and
// the publisher, and gives all of them back on `stop`. No layout and no DOM but the preview element it is lent.

import { Observable } from "@framecast/shared/observable";
import { Releases } from "@framecast/shared/releases";
import { CameraError, openCamera, watchCameras } from "./media/camera.ts";
import { prepareEncoder, startGrabber, type MethodInUse } from "./media/grabber.ts";
import type { Options } from "./options.ts";
import { Publisher, type PublisherState } from "./publish/publisher.ts";
import type { Feedback } from "./publish/session.ts";
import { PublishStats } from "./publish/stats.ts";

export type StationState =
  | PublisherState
  | { phase: "opening-camera" }
  /** `waits`: starts by itself when a camera appears. */
  | { phase: "camera-failed"; reason: string; waits: boolean };

export interface Picture {
  width: number;
  height: number;
  method: MethodInUse;
}

/** Cameras that were plugged in announce themselves before they can be opened. */
const SETTLE_MS = 400;

export class Station {
  readonly state = new Observable<StationState>({ phase: "idle" });
  readonly feedback = new Observable<Feedback | undefined>(undefined);
  readonly complaint = new Observable<string | undefined>(undefined);
  readonly preview: HTMLVideoElement;
  stats = new PublishStats();
  picture: Picture | undefined;
  #publisher: Publisher | undefined;
  /** From `start` to `stop`. */
  #run = new Releases();
  /** The camera of the moment; changed without leaving the server. */
  #camera = new Releases();

  constructor(preview: HTMLVideoElement) {
    this.preview = preview;
  }

  get running(): boolean {
    const { phase } = this.state.value;
    return phase !== "idle" && phase !== "replaced" && phase !== "refused" && phase !== "camera-failed";
  }

  get clock(): Publisher["clock"] | undefined {
    return this.#publisher?.clock;
  }

  async start(options: Options, deviceId: string): Promise<void> {
    this.stop();
    const run = new Releases();
    this.#run = run;
    this.stats = new PublishStats();
    run.add(() => this.#camera.close());
    this.state.set({ phase: "opening-camera" });
    // The camera comes first: who has none must not push another publisher of this name off the server.
    if (!(await this.#useCamera(run, options, deviceId))) return;
    const publisher = Publisher.connect(options, options.transport, options.delivery, this.stats);
    this.#publisher = publisher;
    run.add(() => publisher.stop());
    run.add(publisher.state.watch((state) => this.#publisherChanged(state)));
    run.add(publisher.feedback.watch((feedback) => this.feedback.set(feedback)));
    run.add(publisher.complaint.watch((complaint) => this.complaint.set(complaint)));
    run.listen(window, "online", () => publisher.hurry());
    // A page that is left says goodbye, so that viewers know at once.
    run.listen(window, "pagehide", () => this.stop());
    publisher.start();
    await this.#keepAwake(run);
  }

  /** Another camera into the running stream. */
  async switchCamera(options: Options, deviceId: string): Promise<void> {
    if (this.running) await this.#useCamera(this.#run, options, deviceId);
  }

  stop(): void {
    this.#run.close();
    this.#publisher = undefined;
    this.picture = undefined;
    this.feedback.set(undefined);
    this.complaint.set(undefined);
    this.state.set({ phase: "idle" });
  }

  /** Opens the camera and takes pictures from it; says so in `state` where that fails. */
  async #useCamera(run: Releases, options: Options, deviceId: string): Promise<boolean> {
    this.#camera.close();
    const camera = new Releases();
    this.#camera = camera;
    try {
      const encoder = prepareEncoder(options.method);
      camera.add(() => encoder?.close());
      const track = await openCamera(deviceId, options);
      camera.add(() => track.stop());
      if (camera.closed || run.closed) return false;
      camera.listen(track, "ended", () => this.#cameraLost(options, deviceId));
      this.preview.srcObject = new MediaStream([track]);
      camera.add(() => (this.preview.srcObject = null));
      // Refused autoplay only costs the preview: a muted one is never refused.
      this.preview.play().catch(() => undefined);
      const grabber = await startGrabber(track, this.preview, options, options.method, encoder, {
        onFrame: (frame) => {
          this.picture = { width: frame.width, height: frame.height, method: this.picture?.method ?? "processor" };
          if (this.#publisher?.wantsFrames === true) this.#publisher.offer(frame);
        },
        onBusy: () => this.stats.skipped(),
        onFailed: (message) => this.#fail(new CameraError(`The pictures could not be encoded: ${message}`, false), options, deviceId),
      });
      camera.add(() => grabber.close());
      this.picture = { width: 0, height: 0, ...this.picture, method: grabber.method };
      return !camera.closed;
    } catch (error) {
      // An attempt that was overtaken by another, or by stopping, has no say any more.
      if (!camera.closed) this.#fail(error, options, deviceId);
      return false;
    }
  }

  #cameraLost(options: Options, deviceId: string): void {
    this.#fail(new CameraError("The camera was unplugged or taken away. The page goes on by itself when it is back.", true), options, deviceId);
  }

  #fail(error: unknown, options: Options, deviceId: string): void {
    const waits = error instanceof CameraError && error.mayReturn;
    this.stop();
    this.state.set({ phase: "camera-failed", reason: error instanceof Error ? error.message : String(error), waits });
    if (!waits) return;
    const run = new Releases();
    this.#run = run;
    run.add(
      watchCameras(() => {
        run.after(SETTLE_MS, () => {
          this.start(options, deviceId).catch((failure: unknown) => this.#fail(failure, options, deviceId));
        });
      }),
    );
  }

  #publisherChanged(state: PublisherState): void {
    if (state.phase === "replaced" || state.phase === "refused") {
      // Nobody gets these pictures any more; the camera's light must go out.
      this.stop();
    }
    this.state.set(state);
  }

  /** Keeps a phone's screen on, because a phone that sleeps stops its camera. Where refused, it sleeps. */
  async #keepAwake(run: Releases): Promise<void> {
    const { wakeLock } = navigator as { wakeLock?: WakeLock };
    const ask = async (): Promise<void> => {
      const lock = await wakeLock?.request("screen").catch(() => undefined);
      if (lock !== undefined) run.add(() => void lock.release().catch(() => undefined));
    };
    // Browsers drop the lock when the tab is hidden.
    run.listen(document, "visibilitychange", () => {
      if (document.visibilityState === "visible" && !run.closed) ask().catch(() => undefined);
    });
    await ask();
  }
}
