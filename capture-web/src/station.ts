// A camera and its publisher, brought together: what the page's buttons do. It owns both, decides with the quality
// control how pictures are encoded, and gives everything back on `stop`. No layout and no DOM but the preview
// element it is lent.

import { Observable } from "@framecast/shared/observable";
import { Releases } from "@framecast/shared/releases";
import { BackgroundWatch } from "./background.ts";
import { watchCameras, type CameraOffers } from "./media/camera.ts";
import { fit, type EncodedFrame, type EncoderSettings } from "./media/encoded.ts";
import type { MethodInUse } from "./media/grabber.ts";
import { watchPermission } from "./media/permission.ts";
import { Shot } from "./media/shot.ts";
import { CameraError, whyNoDevices, type TroubleKind } from "./media/trouble.ts";
import type { Options } from "./options.ts";
import { Publisher, type PublisherState } from "./publish/publisher.ts";
import type { Feedback } from "./publish/session.ts";
import { PublishStats } from "./publish/stats.ts";
import { QualityControl } from "./quality/control.ts";
import { SecondMeter } from "./quality/second-meter.ts";
import { WakeLockHolder } from "./wake-lock.ts";

export type StationState =
  | PublisherState
  | { phase: "opening-camera" }
  /** `waits`: goes on by itself when the camera is there. */
  | { phase: "camera-failed"; kind: TroubleKind; reason: string; waits: boolean };

export interface Picture {
  width: number;
  height: number;
  /** Of the newest one. */
  encodeMs: number;
}

/** Cameras that were plugged in announce themselves before they can be opened. */
const SETTLE_MS = 400;
/** No browser tells when another program lets a camera go. */
const RETRY_MS = 3_000;

export class Station {
  readonly state = new Observable<StationState>({ phase: "idle" });
  readonly feedback = new Observable<Feedback | undefined>(undefined);
  readonly complaint = new Observable<string | undefined>(undefined);
  /** What the person should know although all goes on. */
  readonly notice = new Observable<string | undefined>(undefined);
  readonly offers = new Observable<CameraOffers | undefined>(undefined);
  readonly preview: HTMLVideoElement;
  readonly wakeLock = new WakeLockHolder();
  readonly #background = new BackgroundWatch();
  readonly #meter = new SecondMeter();
  stats = new PublishStats();
  control: QualityControl;
  picture: Picture | undefined;
  /** Pictures taken since the start, sent or not. */
  #taken = 0;
  #options: Options;
  #publisher: Publisher | undefined;
  /** From `start` to `stop`, or the wait for a camera. */
  #run = new Releases();
  /** The camera of the moment; changed without leaving the server. */
  #camera = new Releases();
  #shot: Shot | undefined;

  constructor(preview: HTMLVideoElement, options: Options) {
    this.preview = preview;
    this.#options = options;
    this.control = new QualityControl(options);
    // Who opens the page where it cannot work is told before they have filled in a form.
    const hopeless = whyNoDevices();
    if (hopeless !== undefined) this.state.set({ phase: "camera-failed", kind: hopeless.kind, reason: hopeless.message, waits: false });
  }

  get running(): boolean {
    const { phase } = this.state.value;
    return phase !== "idle" && phase !== "replaced" && phase !== "refused" && phase !== "camera-failed";
  }

  get publisher(): Publisher | undefined {
    return this.#publisher;
  }

  get method(): MethodInUse | undefined {
    return this.#shot?.method;
  }

  get fixed(): boolean {
    return this.#options.fixed;
  }

  /** How pictures are encoded now. */
  get settings(): EncoderSettings {
    return this.#options.fixed ? this.control.wanted : this.control.settings;
  }

  /** Pictures a second since the page is hidden, or `undefined`. */
  get backgroundRate(): number | undefined {
    return this.#background.rate(performance.now(), this.#taken);
  }

  async start(options: Options): Promise<void> {
    this.#options = options;
    this.#release();
    this.control = new QualityControl(options);
    this.state.set({ phase: "opening-camera" });
    await this.#begin();
  }

  /** Other wishes, now or for the next start. What can change without leaving the server does. */
  change(options: Options): void {
    const before = this.#options;
    this.#options = options;
    this.#shot?.showPreview(options.preview);
    const reopen = options.device !== before.device || options.width !== before.width || options.height !== before.height;
    if (this.running && reopen) {
      this.#useCamera(this.#run).catch((error: unknown) => this.#fail(error));
    } else if (this.#shot !== undefined) {
      this.#shot.configure(this.#settle(this.#shot.track));
    } else {
      this.control.want(options);
    }
  }

  stop(): void {
    this.#release();
    this.state.set({ phase: "idle" });
  }

  /** Whoever comes back to the page finds it sending again. */
  #leave(): void {
    this.stop();
    const again = ({ persisted }: PageTransitionEvent): void => {
      if (persisted && !this.running) this.start(this.#options).catch((error: unknown) => this.#fail(error));
    };
    window.addEventListener("pageshow", again, { once: true });
  }

  #release(): void {
    this.#run.close();
    this.#publisher = undefined;
    this.picture = undefined;
    this.feedback.set(undefined);
    this.complaint.set(undefined);
    this.notice.set(undefined);
  }

  /** Says nothing until the camera is open, so that trying again and again does not flicker. */
  async #begin(): Promise<void> {
    this.#run.close();
    const run = new Releases();
    this.#run = run;
    this.stats = new PublishStats();
    this.#taken = 0;
    run.add(() => this.#camera.close());
    // The camera comes first: who has none must not push another publisher of this name off the server.
    if (!(await this.#useCamera(run))) return;
    const options = this.#options;
    const publisher = Publisher.connect(options, options.transport, options.delivery, this.stats);
    this.#publisher = publisher;
    run.add(() => publisher.stop());
    run.add(publisher.state.watch((state) => this.#publisherChanged(state)));
    run.add(publisher.feedback.watch((feedback) => this.#reported(feedback)));
    run.add(publisher.complaint.watch((complaint) => this.complaint.set(complaint)));
    run.listen(window, "online", () => publisher.hurry());
    run.listen(document, "visibilitychange", () => this.#seen(publisher));
    // A page that is left says goodbye, so that viewers know at once.
    run.listen(window, "pagehide", () => this.#leave());
    publisher.start();
    this.wakeLock.hold(run);
  }

  /** Opens the camera and takes pictures from it; says so in `state` where that fails. */
  async #useCamera(run: Releases): Promise<boolean> {
    this.#camera.close();
    const camera = new Releases();
    this.#camera = camera;
    camera.add(() => (this.#shot = undefined));
    try {
      const shot = await Shot.open(this.#options, this.preview, camera, (track) => this.#settle(track), {
        onFrame: (frame) => this.#took(frame),
        onBusy: () => this.stats.busy(),
        onLost: (error) => this.#fail(error),
        onPaused: (paused) => this.notice.set(paused ? "The system has paused the camera, as for a call or another app. It goes on by itself." : undefined),
      });
      if (shot === undefined || run.closed) return false;
      this.#shot = shot;
      this.offers.set(shot.offers);
      return true;
    } catch (error) {
      // An attempt that was overtaken by another, or by stopping, has no say any more.
      if (!camera.closed) this.#fail(error);
      return false;
    }
  }

  /** What is wanted of this camera, which may give less than the person asked for. */
  #settle(track: MediaStreamTrack): EncoderSettings {
    const { width, height } = track.getSettings();
    const { fps, quality } = this.#options;
    const size = width === undefined || height === undefined ? this.#options : fit(width, height, this.#options);
    const wanted = { fps, quality, width: size.width, height: size.height };
    const known = this.control.wanted;
    const same = wanted.fps === known.fps && wanted.quality === known.quality && wanted.width === known.width && wanted.height === known.height;
    if (!same) this.control.want(wanted);
    return this.settings;
  }

  #took(frame: EncodedFrame): void {
    this.#taken += 1;
    this.picture = frame;
    const publisher = this.#publisher;
    if (publisher === undefined) return;
    this.#meter.picture(frame.encodeMs, publisher.bufferedBytes);
    if (publisher.wantsFrames) publisher.offer(frame);
  }

  #reported(feedback: Feedback | undefined): void {
    this.feedback.set(feedback);
    if (feedback === undefined) {
      this.#meter.reset();
      return;
    }
    const second = this.#meter.report(feedback, this.stats);
    // The browser's own slowness in the background says nothing about the path.
    if (second === undefined || this.#options.fixed || document.visibilityState === "hidden") return;
    if (this.control.second(second)) this.#shot?.configure(this.settings);
  }

  #seen(publisher: Publisher): void {
    if (document.visibilityState === "hidden") {
      this.#background.hidden(performance.now(), this.#taken);
      return;
    }
    this.notice.set(this.#background.shown(performance.now(), this.#taken, this.settings.fps));
    // A phone that is woken up is looked at by somebody who waits.
    publisher.hurry();
  }

  #fail(error: unknown): void {
    const trouble = error instanceof CameraError ? error : new CameraError("unknown", error instanceof Error ? error.message : String(error));
    const before = this.state.value;
    this.#release();
    // While waiting, the first explanation is the one that the person has read: a camera that was unplugged is not told as one
    // that never was.
    const repeated = before.phase === "camera-failed" && before.waits && trouble.mayReturn;
    if (!repeated) this.state.set({ phase: "camera-failed", kind: trouble.kind, reason: trouble.message, waits: trouble.mayReturn });
    this.#waitForCamera(trouble);
  }

  /** Begins again when there is a reason to: a camera appeared, was allowed, or may have been let go. */
  #waitForCamera(trouble: CameraError): void {
    const wait = new Releases();
    this.#run = wait;
    const again = (): void => {
      this.#begin().catch((failure: unknown) => this.#fail(failure));
    };
    if (trouble.kind === "denied") watchPermission(wait, again);
    if (!trouble.mayReturn) return;
    wait.add(watchCameras(() => wait.after(SETTLE_MS, again)));
    wait.after(RETRY_MS, again);
  }

  #publisherChanged(state: PublisherState): void {
    if (state.phase === "live") this.control.newPath();
    // Nobody gets these pictures any more; the camera's light must go out.
    if (state.phase === "replaced" || state.phase === "refused") this.#release();
    this.state.set(state);
  }
}
