// Pictures one by one, by long polls, several cameras at a time in turn. docs/protocol.md, "REST".

import { localNowUs, type ServerClock } from "@framecast/shared/clock";
import { smoothWidth } from "@framecast/shared/smooth-width";
import type { FrameMessage } from "@framecast/shared/wire/frame";
import { HttpError, type Http } from "./http.ts";
import { REFUSED_AGAIN_MS, type Refusals } from "./refusals.ts";

/** How long a poll may wait where every shown camera has a poll of its own. */
const LONG_POLL_MS = 10_000;
/** Where cameras share polls, none may hold one for long. */
const SHARED_POLL_MS = 250;
/** Before a failed or empty poll is tried again. */
const PAUSE_MS = 500;
/** Of a camera's polls, the first three and then each of this many ask without waiting: those measure the clock. */
const CLOCK_EVERY = 30;

/** A camera as the polls see it. */
export interface Wish {
  online: boolean;
  visible: boolean;
  /** Device pixels across, as shown; 0 while unknown. */
  width: number;
}

interface Polled extends Wish {
  /** Newest frame seen, for `after=`. */
  seq: bigint | undefined;
  polling: boolean;
  polls: number;
  notBeforeMs: number;
  polledMs: number;
}

export class Polls {
  readonly #http: Http;
  readonly #clock: ServerClock;
  readonly #atOnce: number;
  readonly #refusals: Refusals;
  readonly #onFrame: (frame: FrameMessage) => void;
  readonly #cameras = new Map<string, Polled>();
  #polls = 0;

  /** `atOnce`: the most requests that are open at a time. */
  constructor(http: Http, clock: ServerClock, atOnce: number, refusals: Refusals, onFrame: (frame: FrameMessage) => void) {
    this.#http = http;
    this.#clock = clock;
    this.#atOnce = atOnce;
    this.#refusals = refusals;
    this.#onFrame = onFrame;
  }

  /** These cameras are polled from now on, and no others. */
  set(wishes: ReadonlyMap<string, Wish>): void {
    for (const id of this.#cameras.keys()) if (!wishes.has(id)) this.#cameras.delete(id);
    for (const [id, wish] of wishes) {
      const polled = this.#cameras.get(id);
      if (polled === undefined) this.#cameras.set(id, { ...wish, seq: undefined, polling: false, polls: 0, notBeforeMs: 0, polledMs: 0 });
      else {
        // Shown larger than its picture is: once more, also where there is no newer one.
        if (wish.width > polled.width) polled.seq = undefined;
        Object.assign(polled, wish);
      }
    }
    this.#fill();
  }

  /** Starts polls while there is room: those that waited longest first. */
  #fill(): void {
    if (this.#http.releases.closed) return;
    const nowMs = performance.now();
    // An offline camera's last picture is fetched once.
    const due = [...this.#cameras].filter(([, c]) => !c.polling && c.notBeforeMs <= nowMs && c.visible && (c.online || c.seq === undefined));
    due.sort(([, a], [, b]) => a.polledMs - b.polledMs);
    for (const [id, polled] of due.slice(0, this.#atOnce - this.#polls)) this.#poll(id, polled);
  }

  #poll(id: string, polled: Polled): void {
    polled.polling = true;
    polled.polls += 1;
    polled.polledMs = performance.now();
    this.#polls += 1;
    this.#fetchFrame(id, polled)
      .catch((error: unknown) => this.#failed(id, polled, error))
      .finally(() => {
        polled.polling = false;
        this.#polls -= 1;
        this.#fill();
      });
  }

  #failed(id: string, polled: Polled, error: unknown): void {
    const refusal = error instanceof HttpError ? error.refusal : undefined;
    if (refusal === undefined) return this.#pause(polled, PAUSE_MS);
    if (polled.visible && this.#cameras.get(id) === polled) this.#refusals.refused(id, refusal);
    this.#pause(polled, REFUSED_AGAIN_MS);
  }

  /** Not again at once: the camera has nothing, or the server is in trouble. */
  #pause(polled: Polled, milliseconds: number): void {
    polled.notBeforeMs = performance.now() + milliseconds;
    this.#http.releases.after(milliseconds + 1, () => this.#fill());
  }

  async #fetchFrame(id: string, polled: Polled): Promise<void> {
    const shared = [...this.#cameras.values()].filter((camera) => camera.online && camera.visible).length > this.#atOnce;
    const waits = polled.seq !== undefined && polled.polls > 3 && polled.polls % CLOCK_EVERY !== 0;
    const askedUs = localNowUs();
    const response = await this.#http.get(`api/cameras/${encodeURIComponent(id)}/frame.jpg`, {
      ...sized(polled.width),
      ...(waits ? { after: String(polled.seq), timeout_ms: String(shared ? SHARED_POLL_MS : LONG_POLL_MS) } : {}),
    });
    this.#refusals.over(id);
    if (response.status === 204) return;
    const number = (name: string): number => Number(response.headers.get(name) ?? "0") || 0;
    const capturedUs = number("X-Framecast-Captured-Us");
    const receivedUs = number("X-Framecast-Received-Us");
    // Time of arrival and age make the server's time. Only an answer that did not wait measures the way, too.
    if (!waits) this.#clock.addSample(askedUs, receivedUs + number("X-Framecast-Age-Ms") * 1000);
    const jpeg = new Uint8Array(await response.arrayBuffer());
    if (this.#http.releases.closed) return;
    const seq = BigInt(response.headers.get("X-Framecast-Seq") ?? "0");
    const newer = polled.seq === undefined || seq !== polled.seq;
    polled.seq = seq;
    // A server that does not know `after` would otherwise be asked without end.
    if (!newer && waits) this.#pause(polled, PAUSE_MS);
    if (newer) this.#onFrame({ camera: id, seq, capturedUs, receivedUs, width: 0, height: 0, jpeg });
  }
}

/** The query for pictures as wide as they are shown, with as many frames a second as are of use. */
export function sized(width: number, fps?: number): { width?: string } {
  return width > 0 ? { width: String(smoothWidth(width, fps)) } : {};
}
