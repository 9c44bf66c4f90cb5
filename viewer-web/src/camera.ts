// One camera as this page knows it: what the server says of it, its canvas, its figures. The pictures themselves
// are the engine's. The canvas is kept here, so that the last picture stays whatever the layout does.

import { localNowUs } from "@framecast/shared/clock";
import { Observable } from "@framecast/shared/observable";
import { Samples } from "@framecast/shared/rate";
import type { TrackFigures } from "./engine/messages.ts";
import type { CameraInfo, Interest, Refusal, Served } from "./feed/feed.ts";
import type { Player } from "./video/player.ts";
import type { Rung } from "./video/way.ts";

/** Ages kept for percentiles: 20 s at 30 fps. */
const AGES_KEPT = 600;
/** Ages behind the one number shown: steady enough to read. */
const AGES_SHOWN = 30;
/** A frame this old says that the picture stands still. */
const STILL_MS = 1_500;

/** What `framecastStats()` tells of a camera. */
export interface CameraFigures {
  online: boolean;
  shown: number;
  /** Frames that a newer one overtook before they were decoded. */
  skipped: number;
  /** Frames that could not be decoded. */
  broken: number;
  fps: number;
  kilobytesPerSecond: number;
  width: number;
  height: number;
  /** `captured` or `received`: from when the ages count. */
  ageSince: string;
  /** Age when shown, in milliseconds: the newest 600, their median and 99th percentile. */
  ageMs: readonly number[];
  ageP50: number | null;
  ageP99: number | null;
  /** From the page's start to the first picture on the screen. */
  firstShownMs: number | null;
  /** What the server counted for this viewer, by reason; `null` where it does not say. */
  served: Served | null;
  /** How a camera with video plays: `whep`, `hls`, `jpeg`; `null` while it does not, and for all others. */
  play: Rung | null;
}

const NOTHING: TrackFigures = {
  shown: 0, skipped: 0, broken: 0, fps: 0, bytesPerSecond: 0, width: 0, height: 0,
  ages: [], takenUs: 0, captured: false, shownUs: 0, served: undefined,
};

export class Camera {
  readonly id: string;
  readonly info: Observable<CameraInfo>;
  readonly canvas: HTMLCanvasElement;
  /** Shown in a small window of its own, too. */
  readonly floating = new Observable(false);
  /** Why the server sends no pictures of it, where it says. */
  readonly refusal = new Observable<Refusal | undefined>(undefined);
  /** Of a camera that has video. */
  readonly player = new Observable<Player | undefined>(undefined);
  readonly #serverNowUs: () => number | undefined;
  readonly #ages = new Samples(AGES_KEPT);
  readonly #recentAges = new Samples(AGES_SHOWN);
  /** How its tile is in sight. */
  interest: Interest | undefined;
  /** What the engine was told of that. */
  told: Interest | undefined;
  #track = NOTHING;
  #firstShownMs: number | undefined;

  /** `serverNowUs`: the time on the server's clock, `undefined` until known. */
  constructor(info: CameraInfo, serverNowUs: () => number | undefined) {
    this.id = info.camera;
    this.info = new Observable(info);
    this.#serverNowUs = serverNowUs;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "tile-canvas";
  }

  get title(): string {
    return this.info.value.name || this.id;
  }

  /** How its video plays; `undefined` while it does not, and for cameras without. */
  get play(): Rung | undefined {
    const state = this.player.value?.state.value;
    if (state?.phase === "playing") return state.rung;
    return state?.phase === "jpeg" ? "jpeg" : undefined;
  }

  /** The element and the counts of the video on the screen; `undefined` where pictures are. */
  get #video(): Player | undefined {
    const player = this.player.value;
    return player?.video === undefined ? undefined : player;
  }

  get size(): { width: number; height: number } {
    return this.#video?.meter.size ?? { width: this.#track.width, height: this.#track.height };
  }

  get hasPicture(): boolean {
    return this.#video !== undefined || this.#track.shownUs > 0;
  }

  get fps(): number {
    return this.#video?.meter.fps ?? this.#track.fps;
  }

  get bytesPerSecond(): number {
    return this.#video?.figures.bytesPerSecond ?? this.#track.bytesPerSecond;
  }

  /** The rung the server sends, `undefined` where it does not say. */
  get quality(): string | undefined {
    return this.#video === undefined ? this.#track.served?.quality : undefined;
  }

  /** Whether pictures are coming: the newest is younger than a second and a half. */
  get moving(): boolean {
    const player = this.player.value;
    if (player !== undefined && this.play === undefined) return false;
    return this.#sinceShownMs < STILL_MS;
  }

  /**
   * How old the picture on the screen is, in milliseconds: the usual age at showing while frames flow, and
   * growing when they stop. `undefined` while unknown.
   */
  get ageMs(): number | undefined {
    const video = this.#video;
    if (video !== undefined) {
      const sinceMs = video.meter.sinceMs();
      const latencyMs = video.figures.latencyMs;
      return sinceMs < STILL_MS || latencyMs === undefined || !Number.isFinite(sinceMs) ? latencyMs : latencyMs + sinceMs;
    }
    const usual = this.#recentAges.percentile(0.5);
    const sinceShown = this.#sinceShownMs;
    if (this.moving) return usual;
    const nowUs = this.#serverNowUs();
    if (nowUs !== undefined && this.#track.takenUs !== 0) return (nowUs - this.#track.takenUs) / 1000;
    return usual === undefined || !this.hasPicture ? undefined : usual + sinceShown;
  }

  get ageSinceCapture(): boolean {
    return this.#video === undefined && this.#track.captured;
  }

  get figures(): CameraFigures {
    const { shown, skipped, broken } = this.#track;
    const meter = this.player.value?.meter;
    const ages = this.#video?.meter.ages ?? this.#ages;
    return {
      online: this.info.value.online,
      shown: shown + (meter?.shown ?? 0),
      skipped,
      broken,
      fps: this.fps,
      kilobytesPerSecond: this.bytesPerSecond / 1000,
      ...this.size,
      ageSince: this.ageSinceCapture ? "captured" : "received",
      ageMs: [...ages.values],
      ageP50: ages.percentile(0.5) ?? null,
      ageP99: ages.percentile(0.99) ?? null,
      firstShownMs: this.#firstShownMs ?? meter?.firstMs ?? null,
      served: this.#track.served ?? null,
      play: this.play ?? null,
    };
  }

  /** What the engine counted. */
  reported(track: TrackFigures): void {
    this.#track = track;
    if (track.shown > 0) this.#firstShownMs ??= track.shownUs / 1000 - performance.timeOrigin;
    for (const ageMs of track.ages) {
      this.#ages.add(ageMs);
      this.#recentAges.add(ageMs);
    }
  }

  close(): void {
    this.player.value?.close();
    this.canvas.remove();
  }

  get #sinceShownMs(): number {
    const video = this.#video;
    if (video !== undefined) return video.meter.sinceMs();
    return this.#track.shownUs === 0 ? Number.POSITIVE_INFINITY : (localNowUs() - this.#track.shownUs) / 1000;
  }
}
