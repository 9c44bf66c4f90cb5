// One camera's pictures in the engine: the newest one's bytes, its painter, and what is counted. It knows no
// names and no page.

import { localNowUs, type ServerClock } from "@framecast/shared/clock";
import { RateMeter } from "@framecast/shared/rate";
import type { FrameMessage } from "@framecast/shared/wire/frame";
import type { Served } from "../feed/feed.ts";
import type { Decode } from "../picture/decode.ts";
import { Painter, type PaintTarget } from "../picture/painter.ts";
import type { Picture, TrackFigures } from "./messages.ts";

/** Ages kept between two reports; more come only where nobody asks for reports. */
const MOST_AGES = 600;

interface Arrival {
  /** `undefined`: not of the stream. */
  seq: bigint | undefined;
  /** When taken, or else received; on the server's clock. 0 if both are unknown. */
  takenUs: number;
  captured: boolean;
}

export class Track {
  /** What the server says of this camera and this viewer. */
  served: Served | undefined;
  readonly #painter: Painter<Arrival>;
  readonly #clock: ServerClock;
  readonly #shownRate = new RateMeter();
  readonly #arrivedRate = new RateMeter();
  #newest: Picture | undefined;
  #ages: number[] = [];
  #onScreen: Arrival | undefined;
  #shownUs = 0;
  #shown = 0;
  #skipped = 0;
  #broken = 0;
  #size = { width: 0, height: 0 };

  /** `onDone` hears of each frame that is on the screen, or that cannot be. */
  constructor(clock: ServerClock, onDone: (seq: bigint) => void, decode?: Decode) {
    this.#clock = clock;
    this.#painter = new Painter(
      {
        onShown: (arrival, width, height) => {
          this.#painted(arrival, width, height);
          if (arrival.seq !== undefined) onDone(arrival.seq);
        },
        onSkipped: () => (this.#skipped += 1),
        onBroken: ({ seq }) => {
          this.#broken += 1;
          // The server, too, is to know that this frame is done with; it would wait for word of it.
          if (seq !== undefined) onDone(seq);
        },
      },
      decode,
    );
  }

  get newest(): Picture | undefined {
    return this.#newest;
  }

  drawOn(canvas: PaintTarget): void {
    this.#painter.drawOn(canvas);
  }

  /** How wide the camera is shown, in device pixels; 0 where that is not known. */
  showAs(width: number): void {
    if (width > 0) this.#painter.showAs(width);
  }

  arrived(frame: FrameMessage): void {
    this.#arrivedRate.add(frame.jpeg.byteLength);
    const captured = frame.capturedUs > 0;
    const takenUs = captured ? frame.capturedUs : frame.receivedUs;
    this.#newest = { seq: frame.seq, jpeg: frame.jpeg, takenMs: takenUs / 1000 };
    this.#painter.offer({ jpeg: frame.jpeg, about: { seq: frame.seq, takenUs, captured } });
  }

  /** A picture that came another way than by the stream; one of the stream that is newer stays. */
  still({ seq, jpeg, takenMs }: Picture): void {
    if (this.#newest !== undefined && takenMs <= this.#newest.takenMs) return;
    this.#newest = { seq, jpeg, takenMs };
    this.#painter.offer({ jpeg, about: { seq: undefined, takenUs: takenMs * 1000, captured: false } });
  }

  /** How things stand; the ages since the last call. */
  report(): TrackFigures {
    return {
      shown: this.#shown,
      skipped: this.#skipped,
      broken: this.#broken,
      fps: this.#shownRate.perSecond(),
      bytesPerSecond: this.#arrivedRate.bytesPerSecond(),
      ...this.#size,
      ages: this.#ages.splice(0),
      takenUs: this.#onScreen?.takenUs ?? 0,
      captured: this.#onScreen?.captured === true,
      shownUs: this.#shownUs,
      served: this.served,
    };
  }

  close(): void {
    this.#painter.close();
  }

  #painted(arrival: Arrival, width: number, height: number): void {
    this.#onScreen = arrival;
    this.#shownUs = localNowUs();
    this.#size = { width, height };
    if (arrival.seq === undefined) return;
    this.#shown += 1;
    this.#shownRate.add(0);
    const nowUs = this.#clock.nowUs();
    // A picture shown on joining was taken before; its age says nothing about the way here.
    if (nowUs === undefined || arrival.takenUs === 0 || this.#shown === 1) return;
    if (this.#ages.length < MOST_AGES) this.#ages.push((nowUs - arrival.takenUs) / 1000);
  }
}
