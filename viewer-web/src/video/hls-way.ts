// Plays a camera by low-latency HLS. The player library is fetched when the first camera needs it; how close to the
// live edge it stays is this page's own doing, in catch-up.ts.

import { httpUrl } from "@framecast/shared/address";
import { RateMeter } from "@framecast/shared/rate";
import { Releases } from "@framecast/shared/releases";
import type Hls from "hls.js/light";
import { CatchUp, EVERY_MS, hasStood, STALL_MS, TARGET_S } from "./catch-up.ts";
import { readRefusal } from "./refusal.ts";
import type { OpenWay, Way, WayEnd, WayEvents, WayFigures } from "./way.ts";

/** A camera that has to be connected first has ten seconds for that, and then its first part. */
const START_MS = 14_000;
/** A picture that stands this long, through several jumps to the live edge, is over. */
const DEAD_MS = 8_000;
/** Longer between two looks, and the page was asleep. */
const SLEPT_MS = 2_000;

/** Recovers nothing by itself: the ladder decides what is tried next. */
const ONCE = (maxLoadTimeMs: number) => ({ default: { maxTimeToFirstByteMs: Number.POSITIVE_INFINITY, maxLoadTimeMs, timeoutRetry: null, errorRetry: null } });
/** A segment that left the window between playlist and request, a server that restarts: worth a second try. */
const TWICE = (maxLoadTimeMs: number) => {
  const retry = { maxNumRetry: 2, retryDelayMs: 200, maxRetryDelayMs: 1_000 };
  return { default: { maxTimeToFirstByteMs: Number.POSITIVE_INFINITY, maxLoadTimeMs, timeoutRetry: retry, errorRetry: retry } };
};

export const openHls = (camera: string, video: HTMLVideoElement, events: WayEvents): ReturnType<OpenWay> => new HlsWay(camera, video, events);

class HlsWay implements Way {
  readonly #video: HTMLVideoElement;
  readonly #events: WayEvents;
  readonly #url: string;
  readonly #releases = new Releases();
  readonly #rate = new RateMeter();
  readonly #catchUp = new CatchUp();
  #hls: Hls | undefined;
  #playing = false;
  #reloaded = false;
  #movedMs = performance.now();
  #lookedMs = performance.now();
  #positionS = 0;
  /** Where it began to play. */
  #firstS = Number.POSITIVE_INFINITY;

  constructor(camera: string, video: HTMLVideoElement, events: WayEvents) {
    this.#video = video;
    this.#events = events;
    this.#url = httpUrl(`hls/cam_${encodeURIComponent(camera)}/index.m3u8`, import.meta.env.VITE_VIEW_URL, location.href).href;
    const handle = video.requestVideoFrameCallback(() => this.#started());
    this.#releases.add(() => video.cancelVideoFrameCallback(handle));
    this.#releases.after(START_MS, () => {
      if (!this.#playing) this.#end({ ending: "failed", reason: "No picture came over HLS." });
    });
    this.#open().catch(() => this.#end({ ending: "failed", reason: "The HLS player could not be loaded." }));
  }

  get figures(): WayFigures {
    const latencyS = this.#latencyS;
    return { bytesPerSecond: this.#rate.bytesPerSecond(), latencyMs: latencyS === undefined ? undefined : latencyS * 1000 };
  }

  close(): void {
    this.#releases.close();
  }

  get #latencyS(): number | undefined {
    const latency = this.#hls?.latency ?? 0;
    return latency > 0 ? latency : undefined;
  }

  async #open(): Promise<void> {
    const { default: Hls } = await import("hls.js/light");
    if (this.#releases.closed) return;
    if (!Hls.isSupported()) return this.#end({ ending: "unsupported", reason: "This browser cannot play HLS from a script." });
    const hls = new Hls({
      lowLatencyMode: true,
      liveSyncDuration: TARGET_S,
      liveMaxLatencyDuration: 30,
      // Else each stall, such as those of the start, moves what it takes for the live edge back by a second.
      liveSyncOnStallIncrease: 0,
      // The catch-up sets the speed; two masters would fight.
      maxLiveSyncPlaybackRate: 1,
      backBufferLength: 4,
      maxBufferLength: 6,
      manifestLoadPolicy: ONCE(START_MS),
      playlistLoadPolicy: TWICE(8_000),
      fragLoadPolicy: TWICE(8_000),
    });
    this.#hls = hls;
    this.#releases.add(() => hls.destroy());
    hls.on(Hls.Events.FRAG_LOADED, (_, { frag, part }) => this.#rate.add((part ?? frag).stats.loaded));
    // The master playlist is what the server holds back until the camera has sent something.
    hls.on(Hls.Events.MANIFEST_LOADED, () => this.#events.onAnswered?.());
    let recovered = false;
    hls.on(Hls.Events.ERROR, (_, { fatal, type, details, networkDetails }) => {
      if (!fatal) return;
      if (type === Hls.ErrorTypes.MEDIA_ERROR && details !== Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR && !recovered) {
        // A decoder that stumbled over what a camera sends between two pictures starts anew once.
        recovered = true;
        hls.recoverMediaError();
        return;
      }
      if (details === Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR || details === Hls.ErrorDetails.BUFFER_ADD_CODEC_ERROR || details === Hls.ErrorDetails.BUFFER_INCOMPATIBLE_CODECS_ERROR) {
        this.#end({ ending: "unsupported", reason: "This browser does not play the camera's video." });
      } else if (networkDetails instanceof XMLHttpRequest && networkDetails.status >= 400) {
        this.#refused(readRefusal(networkDetails));
      } else {
        this.#failed("HLS was interrupted.");
      }
    });
    hls.loadSource(this.#url);
    hls.attachMedia(this.#video);
    this.#releases.every(EVERY_MS, () => this.#correct(hls));
  }

  #started(): void {
    if (this.#playing) return;
    this.#playing = true;
    this.#movedMs = performance.now();
    this.#events.onPlaying();
  }

  #correct(hls: Hls): void {
    const video = this.#video;
    // The browser stops what is not seen; that is no stall.
    if (document.visibilityState === "hidden") return;
    if (video.paused && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) video.play().catch(() => undefined);
    // What is just outside of the window plays and is not drawn.
    if (video.currentTime > this.#firstS + 0.3) this.#started();
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && this.#firstS === Number.POSITIVE_INFINITY) this.#firstS = video.currentTime;
    if (!this.#playing) return;
    const nowMs = performance.now();
    // This page slept, and the picture with it.
    if (nowMs - this.#lookedMs > SLEPT_MS) this.#movedMs = nowMs;
    this.#lookedMs = nowMs;
    if (!hasStood(this.#positionS, video.currentTime)) {
      this.#positionS = video.currentTime;
      this.#movedMs = nowMs;
      this.#reloaded = false;
    }
    if (nowMs - this.#movedMs > STALL_MS && !this.#reloaded) {
      // Only once: it gives up what is on its way, which on a slow link may be what was waited for.
      this.#reloaded = true;
      // At the live edge: hls.js at times fetches playlists only, and nothing of what follows where it stands.
      const edge = hls.liveSyncPosition ?? -1;
      hls.stopLoad();
      hls.startLoad(edge);
      if (edge > video.currentTime) this.#jump(edge);
    }
    if (nowMs - this.#movedMs > DEAD_MS) return this.#end({ ending: "lost", reason: "No newer picture comes over HLS." });
    const correction = this.#catchUp.next({ latencyS: this.#latencyS, positionS: video.currentTime, nowMs });
    if (correction.do === "play") {
      if (video.playbackRate !== correction.rate) video.playbackRate = correction.rate;
      return;
    }
    const edge = video.buffered.length > 0 ? video.buffered.end(video.buffered.length - 1) : undefined;
    const target = hls.liveSyncPosition ?? edge;
    // Not beyond what is there: a jump into nothing would be the next stall.
    if (target !== undefined) this.#jump(edge === undefined ? target : Math.max(Math.min(target, edge - 0.1), video.currentTime));
  }

  /** To there; which is no movement of the picture. */
  #jump(toS: number): void {
    this.#video.currentTime = toS;
    this.#positionS = toS;
  }

  /** What played until now is refused where its list or its segments are gone: that is a loss, and no refusal of HLS. */
  #refused(end: WayEnd): void {
    if (end.ending === "failed") this.#failed(end.reason);
    else this.#end(end);
  }

  #failed(reason: string): void {
    this.#end({ ending: this.#playing ? "lost" : "failed", reason });
  }

  #end(end: WayEnd): void {
    if (this.#releases.closed) return;
    this.#releases.close();
    this.#events.onEnd(end);
  }
}
