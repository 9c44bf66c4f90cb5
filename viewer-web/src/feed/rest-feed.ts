// The last resort, where no WebSocket can be opened: the list of cameras by asking again and again, and their
// pictures by long polls. docs/protocol.md, "REST".

import { httpUrl } from "@framecast/shared/address";
import { localNowUs, type ServerClock } from "@framecast/shared/clock";
import { Releases } from "@framecast/shared/releases";
import { parseMessage } from "@framecast/shared/wire/json";
import { readCameras, type Feed, type FeedEvents, type Interest } from "./feed.ts";

/** Browsers open six connections to a server over HTTP/1.1; the list and the page itself need theirs. */
const POLLS_AT_ONCE = 4;
const LIST_EVERY_MS = 2_000;
/** How long a poll may wait where every shown camera has a poll of its own. */
const LONG_POLL_MS = 10_000;
/** Where cameras share polls, none may hold one for long. */
const SHARED_POLL_MS = 250;
/** Before a failed or empty poll is tried again. */
const PAUSE_MS = 500;
/** Of a camera's polls, the first three and then each of this many ask without waiting: those measure the clock. */
const CLOCK_EVERY = 30;
/** Failures of the list in a row after which the server counts as gone. */
const MOST_FAILURES = 3;

interface Polled {
  online: boolean;
  visible: boolean;
  /** Newest frame seen, for `after=`. */
  seq: bigint | undefined;
  polling: boolean;
  polls: number;
  notBeforeMs: number;
  polledMs: number;
}

export class RestFeed implements Feed {
  readonly #clock: ServerClock;
  readonly #events: FeedEvents;
  readonly #releases = new Releases();
  readonly #abort = new AbortController();
  readonly #cameras = new Map<string, Polled>();
  #up = false;
  #failures = 0;
  #polls = 0;

  constructor(clock: ServerClock, events: FeedEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#releases.add(() => this.#abort.abort());
    this.#list().catch((error: unknown) => this.#failed(error));
  }

  shown(): void {
    // HTTP tells the server by itself that a picture was taken: the next poll comes only then.
  }

  want(camera: string, { visible }: Interest): void {
    const polled = this.#cameras.get(camera);
    if (polled !== undefined) polled.visible = visible;
    this.#fill();
  }

  close(): void {
    this.#releases.close();
  }

  async #list(): Promise<void> {
    const response = await this.#get("api/cameras", {});
    const cameras = readCameras(parseMessage(await response.text())?.["cameras"]);
    if (this.#releases.closed) return;
    this.#failures = 0;
    if (!this.#up) {
      this.#up = true;
      this.#clock.reset();
      this.#events.onUp();
    }
    this.#events.onCameras(cameras);
    const known = new Set(cameras.map(({ camera }) => camera));
    for (const id of this.#cameras.keys()) if (!known.has(id)) this.#cameras.delete(id);
    for (const { camera, online } of cameras) {
      const polled = this.#cameras.get(camera);
      if (polled === undefined) this.#cameras.set(camera, { online, visible: true, seq: undefined, polling: false, polls: 0, notBeforeMs: 0, polledMs: 0 });
      else polled.online = online;
    }
    this.#fill();
    this.#releases.after(LIST_EVERY_MS, () => this.#listAgain());
  }

  #listAgain(): void {
    this.#list().catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    if (this.#releases.closed) return;
    this.#failures += 1;
    if (this.#up && this.#failures < MOST_FAILURES) {
      this.#releases.after(PAUSE_MS, () => this.#listAgain());
      return;
    }
    this.#releases.close();
    this.#events.onDown(error instanceof HttpError ? `The server answered ${error.status}.` : "The server cannot be reached.", this.#up);
  }

  /** Starts polls while there is room: those that waited longest first. */
  #fill(): void {
    if (this.#releases.closed) return;
    const nowMs = performance.now();
    // An offline camera's last picture is fetched once.
    const due = [...this.#cameras].filter(([, c]) => !c.polling && c.notBeforeMs <= nowMs && c.visible && (c.online || c.seq === undefined));
    due.sort(([, a], [, b]) => a.polledMs - b.polledMs);
    for (const [id, polled] of due.slice(0, POLLS_AT_ONCE - this.#polls)) this.#poll(id, polled);
  }

  #poll(id: string, polled: Polled): void {
    polled.polling = true;
    polled.polls += 1;
    polled.polledMs = performance.now();
    this.#polls += 1;
    this.#fetchFrame(id, polled)
      .catch(() => this.#pause(polled))
      .finally(() => {
        polled.polling = false;
        this.#polls -= 1;
        this.#fill();
      });
  }

  /** Not again at once: the camera has nothing, or the server is in trouble. */
  #pause(polled: Polled): void {
    polled.notBeforeMs = performance.now() + PAUSE_MS;
    this.#releases.after(PAUSE_MS + 1, () => this.#fill());
  }

  async #fetchFrame(id: string, polled: Polled): Promise<void> {
    const shared = [...this.#cameras.values()].filter((camera) => camera.online && camera.visible).length > POLLS_AT_ONCE;
    const waits = polled.seq !== undefined && polled.polls > 3 && polled.polls % CLOCK_EVERY !== 0;
    const askedUs = localNowUs();
    const response = await this.#get(`api/cameras/${encodeURIComponent(id)}/frame.jpg`, {
      ...(waits ? { after: String(polled.seq), timeout_ms: String(shared ? SHARED_POLL_MS : LONG_POLL_MS) } : {}),
    });
    if (response.status === 204) return;
    const number = (name: string): number => Number(response.headers.get(name) ?? "0") || 0;
    const capturedUs = number("X-Framecast-Captured-Us");
    const receivedUs = number("X-Framecast-Received-Us");
    // Time of arrival and age make the server's time. Only an answer that did not wait measures the way, too.
    if (!waits) this.#clock.addSample(askedUs, receivedUs + number("X-Framecast-Age-Ms") * 1000);
    const jpeg = new Uint8Array(await response.arrayBuffer());
    if (this.#releases.closed) return;
    const seq = BigInt(response.headers.get("X-Framecast-Seq") ?? "0");
    const newer = polled.seq === undefined || seq !== polled.seq;
    polled.seq = seq;
    // A server that does not know `after` would otherwise be asked without end.
    if (!newer && waits) this.#pause(polled);
    if (newer) this.#events.onFrame({ camera: id, seq, capturedUs, receivedUs, width: 0, height: 0, jpeg });
  }

  async #get(path: string, query: Record<string, string>): Promise<Response> {
    const url = httpUrl(path, import.meta.env.VITE_VIEW_URL, location.href);
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
    const response = await fetch(url, { signal: this.#abort.signal, cache: "no-store" });
    if (!response.ok) throw new HttpError(response.status);
    return response;
  }
}

class HttpError extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}
