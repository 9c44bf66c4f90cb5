// One open camera of which pictures are taken: its track, the preview that shows it, the grabber, and a watch that
// notices when no pictures come. Opened and closed as a whole.

import { Releases } from "@framecast/shared/releases";
import type { Options } from "../options.ts";
import { looksAtPerson, offersOf, openCamera, type CameraOffers } from "./camera.ts";
import type { EncodedFrame, EncoderSettings } from "./encoded.ts";
import { prepareEncoder, startGrabber, type Grabber, type MethodInUse } from "./grabber.ts";
import { CameraError } from "./trouble.ts";

export interface ShotEvents {
  onFrame: (frame: EncodedFrame) => void;
  /** A picture was left out because the one before was still being encoded. */
  onBusy: () => void;
  /** No more pictures will come. */
  onLost: (error: CameraError) => void;
  /** The system holds the camera back, for a call, or because the page is hidden; or gives it again. */
  onPaused: (paused: boolean) => void;
}

/** Without a picture for so long, a camera that is not paused counts as stuck: after sleep, some are. */
const STALLED_MS = 6_000;

export class Shot {
  readonly track: MediaStreamTrack;
  readonly offers: CameraOffers | undefined;
  readonly #releases: Releases;
  readonly #video: HTMLVideoElement;
  #grabber: Grabber | undefined;
  #lastPictureMs = performance.now();

  private constructor(track: MediaStreamTrack, video: HTMLVideoElement, releases: Releases) {
    this.track = track;
    this.offers = offersOf(track);
    this.#video = video;
    this.#releases = releases;
  }

  /**
   * Opens the camera and starts. `settle` chooses the encoder's settings once the camera is known. Closing
   * `releases` ends it at any time, also while it opens; then the answer is `undefined`. Throws a `CameraError`.
   */
  static async open(options: Options, video: HTMLVideoElement, releases: Releases, settle: (track: MediaStreamTrack) => EncoderSettings, events: ShotEvents): Promise<Shot | undefined> {
    const encoder = prepareEncoder(options.method);
    releases.add(() => encoder?.close());
    const track = await openCamera(options);
    releases.add(() => track.stop());
    if (releases.closed) return undefined;
    const shot = new Shot(track, video, releases);
    shot.#watch(events);
    video.srcObject = new MediaStream([track]);
    video.dataset["mirrored"] = String(looksAtPerson(track));
    releases.add(() => (video.srcObject = null));
    shot.#play();
    const grabber = await startGrabber(track, video, settle(track), options.method, encoder, {
      onFrame: (frame) => {
        shot.#lastPictureMs = performance.now();
        events.onFrame(frame);
      },
      onBusy: events.onBusy,
      onFailed: (message) => events.onLost(new CameraError("encoder", `The pictures could not be encoded: ${message}`)),
    });
    releases.add(() => grabber.close());
    shot.#grabber = grabber;
    shot.showPreview(options.preview);
    return releases.closed ? undefined : shot;
  }

  get method(): MethodInUse | undefined {
    return this.#grabber?.method;
  }

  configure(settings: EncoderSettings): void {
    this.#grabber?.configure(settings);
  }

  /** Where no pictures are taken from the element, a preview that nobody sees need not be drawn either. */
  showPreview(show: boolean): void {
    if (this.#releases.closed) return;
    const needed = show || this.method === "video" || this.method === "canvas";
    if (needed === (this.#video.srcObject !== null)) return;
    this.#video.srcObject = needed ? new MediaStream([this.track]) : null;
    this.#play();
  }

  /** Refused autoplay only costs the preview: a muted one is never refused. */
  #play(): void {
    if (this.#video.srcObject !== null && this.#video.paused) this.#video.play().catch(() => undefined);
  }

  #watch(events: ShotEvents): void {
    const { track } = this;
    this.#releases.listen(track, "ended", () => events.onLost(new CameraError("unplugged", "The camera was unplugged or taken away. The page goes on by itself when it is back.")));
    this.#releases.listen(track, "mute", () => events.onPaused(true));
    this.#releases.listen(track, "unmute", () => events.onPaused(false));
    // Browsers pause the element of a page that they freeze, and leave it so.
    this.#releases.listen(document, "resume", () => this.#play());
    this.#releases.listen(document, "visibilitychange", () => this.#play());
    let lookedMs = performance.now();
    this.#releases.every(1_000, () => {
      this.#play();
      const nowMs = performance.now();
      // A hidden page gets no pictures in some browsers; a computer that slept gets the first when it has woken.
      const excused = track.muted || document.visibilityState === "hidden" || nowMs - lookedMs > STALLED_MS / 2;
      lookedMs = nowMs;
      if (excused) this.#lastPictureMs = nowMs;
      else if (nowMs - this.#lastPictureMs > STALLED_MS) events.onLost(new CameraError("stalled", "The camera has stopped giving pictures. The page opens it again."));
    });
  }
}
