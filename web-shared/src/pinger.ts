// Sends clock pings over whichever WebSocket is open and watches that the server is still there.

import { localNowUs, PING_BURST_MS, PING_EVERY_MS, type ServerClock } from "./clock.ts";
import { Releases } from "./releases.ts";

/**
 * Silence after which a server counts as gone. Pings go out every 2 s, so this is four answers missing.
 * TCP alone would take minutes to notice a cable that was pulled.
 */
const SILENCE_MS = 8_500;

export class Pinger {
  readonly #releases = new Releases();
  readonly #clock: ServerClock;
  #lastHeardMs = performance.now();

  constructor(clock: ServerClock, send: (message: string) => void, onSilence: () => void) {
    this.#clock = clock;
    const ping = (): void => send(JSON.stringify({ type: "ping", t: localNowUs() }));
    for (const delayMs of PING_BURST_MS) {
      if (delayMs === 0) ping();
      else this.#releases.after(delayMs, ping);
    }
    let pingedMs = performance.now();
    this.#releases.every(PING_EVERY_MS, () => {
      // A page that slept (hidden tab, closed lid) has heard nothing because it asked nothing.
      const slept = performance.now() - pingedMs > 2 * PING_EVERY_MS;
      pingedMs = performance.now();
      if (slept) this.#lastHeardMs = pingedMs;
      if (pingedMs - this.#lastHeardMs > SILENCE_MS) onSilence();
      else ping();
    });
  }

  /** Any message proves that the server lives. */
  heard(): void {
    this.#lastHeardMs = performance.now();
  }

  /** The answer to a ping of this class; `t` is what was sent. */
  pong(t: unknown, serverUs: unknown): void {
    if (typeof t === "number" && typeof serverUs === "number") this.#clock.addSample(t, serverUs);
  }

  close(): void {
    this.#releases.close();
  }
}
