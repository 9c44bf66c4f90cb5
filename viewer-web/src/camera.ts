// One camera as this page knows it: what the server says of it, its picture, its figures. It owns its canvas,
// so that the last picture stays whatever the layout does.

import type { ServerClock } from "@framecast/shared/clock";
import { Observable } from "@framecast/shared/observable";
import { RateMeter, Samples } from "@framecast/shared/rate";
import type { FrameMessage } from "@framecast/shared/wire/frame";
import type { CameraInfo, Interest } from "./feed/feed.ts";
import { Painter } from "./picture/painter.ts";

/** Ages kept for percentiles: 20 s at 30 fps. */
const AGES_KEPT = 600;
/** Ages behind the one number shown: steady enough to read. */
const AGES_SHOWN = 30;
/** A frame this old says that the picture stands still. */
const STILL_MS = 1_500;

interface Arrival {
  seq: bigint;
  /** When taken, or else received; on the server's clock. 0 if both are unknown. */
  takenUs: number;
  capturedKnown: boolean;
}

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
}

export class Camera {
  readonly id: string;
  readonly info: Observable<CameraInfo>;
  readonly canvas: HTMLCanvasElement;
  readonly #painter: Painter<Arrival>;
  readonly #clock: ServerClock;
  readonly #shownRate = new RateMeter();
  readonly #arrivedRate = new RateMeter();
  readonly #ages = new Samples(AGES_KEPT);
  readonly #recentAges = new Samples(AGES_SHOWN);
  interest: Interest | undefined;
  #newest: Arrival | undefined;
  #lastShownMs: number | undefined;
  #firstShownMs: number | undefined;
  #shown = 0;
  #skipped = 0;
  #broken = 0;
  #size = { width: 0, height: 0 };

  constructor(info: CameraInfo, clock: ServerClock, onDone: (camera: string, seq: bigint) => void) {
    this.id = info.camera;
    this.info = new Observable(info);
    this.#clock = clock;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "tile-canvas";
    this.#painter = new Painter(this.canvas, {
      onShown: (arrival, width, height) => {
        this.#painted(arrival, width, height);
        onDone(this.id, arrival.seq);
      },
      onSkipped: () => (this.#skipped += 1),
      onBroken: (arrival) => {
        this.#broken += 1;
        // The server, too, is to know that this frame is done with; it would wait for word of it.
        onDone(this.id, arrival.seq);
      },
    });
  }

  get title(): string {
    return this.info.value.name || this.id;
  }

  get size(): { width: number; height: number } {
    return this.#size;
  }

  get hasPicture(): boolean {
    return this.#shown > 0;
  }

  get fps(): number {
    return this.#shownRate.perSecond();
  }

  get bytesPerSecond(): number {
    return this.#arrivedRate.bytesPerSecond();
  }

  /**
   * How old the picture on the screen is, in milliseconds: the usual age at showing while frames flow, and
   * growing when they stop. `undefined` while unknown.
   */
  get ageMs(): number | undefined {
    const usual = this.#recentAges.percentile(0.5);
    const sinceShown = this.#lastShownMs === undefined ? 0 : performance.now() - this.#lastShownMs;
    if (sinceShown < STILL_MS) return usual;
    const nowUs = this.#clock.nowUs();
    const takenUs = this.#newest?.takenUs ?? 0;
    if (nowUs !== undefined && takenUs !== 0) return (nowUs - takenUs) / 1000;
    return usual === undefined ? undefined : usual + sinceShown;
  }

  get ageSinceCapture(): boolean {
    return this.#newest?.capturedKnown === true;
  }

  get figures(): CameraFigures {
    return {
      online: this.info.value.online,
      shown: this.#shown,
      skipped: this.#skipped,
      broken: this.#broken,
      fps: this.fps,
      kilobytesPerSecond: this.bytesPerSecond / 1000,
      ...this.#size,
      ageSince: this.ageSinceCapture ? "captured" : "received",
      ageMs: [...this.#ages.values],
      ageP50: this.#ages.percentile(0.5) ?? null,
      ageP99: this.#ages.percentile(0.99) ?? null,
      firstShownMs: this.#firstShownMs ?? null,
    };
  }

  arrived(frame: FrameMessage): void {
    this.#arrivedRate.add(frame.jpeg.byteLength);
    const capturedKnown = frame.capturedUs > 0;
    const takenUs = capturedKnown ? frame.capturedUs : frame.receivedUs;
    this.#painter.offer({ jpeg: frame.jpeg, about: { seq: frame.seq, takenUs, capturedKnown } });
  }

  close(): void {
    this.#painter.close();
    this.canvas.remove();
  }

  #painted(arrival: Arrival, width: number, height: number): void {
    this.#shown += 1;
    this.#newest = arrival;
    this.#lastShownMs = performance.now();
    this.#firstShownMs ??= this.#lastShownMs;
    this.#size = { width, height };
    this.#shownRate.add(0);
    const nowUs = this.#clock.nowUs();
    if (nowUs === undefined || arrival.takenUs === 0) return;
    const ageMs = (nowUs - arrival.takenUs) / 1000;
    this.#recentAges.add(ageMs);
    // A picture shown on joining was taken before; its age says nothing about the way here.
    if (this.#shown > 1) this.#ages.add(ageMs);
  }
}
