// One camera picture by picture, where nothing endless gets through.

import { localNowUs } from "@framecast/shared/clock";
import { HttpSource, SILENT_MS } from "./http.ts";

/** How long the server may hold a request until there is a newer picture. */
const WAIT_MS = 5_000;
/** Before an empty or missing answer is asked for again. */
const PAUSE_MS = 500;
/** By then the first poll that waits would be refused. */
const REFUSED_BY_MS = 1_000;
/** Every so many polls one does not wait: those measure the clock. */
const CLOCK_EVERY = 30;

export class PollingSource extends HttpSource {
  #seq: string | undefined;
  #polls = 0;
  #shownMs = 0;

  protected override begin(): void {
    this.guard(this.#poll());
  }

  async #poll(): Promise<void> {
    const waits = this.#seq !== undefined && this.#polls % CLOCK_EVERY !== 0;
    this.#polls += 1;
    const askedUs = localNowUs();
    // Anybody may have one picture; of those who wait for the next, only so many, and a refusal would be here by then.
    if (waits && !this.isUp) this.releases.after(REFUSED_BY_MS, () => this.accepted());
    const query = { ...this.sized, ...(waits ? { after: this.#seq ?? "", timeout_ms: WAIT_MS } : {}) };
    await this.get("/frame.jpg", (response) => this.#take(response, waits, askedUs), query, {}, SILENT_MS);
  }

  async #take(response: Response, waits: boolean, askedUs: number): Promise<void> {
    if (!response.ok && response.status !== 404) await this.refused(response);
    else if (waits || !response.ok) this.accepted();
    if (response.status === 204 || !response.ok) return this.#again(PAUSE_MS);
    if (!waits) this.measure(askedUs, response);
    const jpeg = new Uint8Array(await response.arrayBuffer());
    if (this.releases.closed) return;
    const seq = response.headers.get("X-Framecast-Seq") ?? "0";
    const number = (name: string): number => Number(response.headers.get(name)) || 0;
    const newer = seq !== this.#seq;
    this.#seq = seq;
    if (newer) this.events.onPicture({ jpeg, seq: BigInt(seq), capturedUs: number("X-Framecast-Captured-Us"), receivedUs: number("X-Framecast-Received-Us") });
    const pauseMs = newer ? this.#untilDueMs() : PAUSE_MS;
    this.#again(this.isUp ? pauseMs : 0);
  }

  #untilDueMs(): number {
    const nowMs = performance.now();
    const dueMs = this.wish.maxFps === undefined ? nowMs : Math.max(nowMs, this.#shownMs + 1000 / this.wish.maxFps);
    this.#shownMs = dueMs;
    return dueMs - nowMs;
  }

  #again(milliseconds: number): void {
    if (milliseconds <= 0) this.guard(this.#poll());
    else this.releases.after(milliseconds, () => this.guard(this.#poll()));
  }
}
