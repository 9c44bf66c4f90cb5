// Keeps frames coming: which feed, when to try again, when to fall back. It knows no cameras and no page.

import { Backoff } from "@framecast/shared/backoff";
import { ServerClock } from "@framecast/shared/clock";
import { Observable } from "@framecast/shared/observable";
import { Releases } from "@framecast/shared/releases";
import type { Feed, FeedEvents, Interest } from "./feed.ts";
import { RestFeed } from "./rest-feed.ts";
import { StreamFeed } from "./stream-feed.ts";

export type FeedKind = "ws" | "rest";
/** What the address asks for; `auto` starts with the WebSocket. */
export type LinkChoice = FeedKind | "auto";

export type LinkState =
  /** `after`: what ended the connection or attempt before. */
  | { phase: "connecting"; after: string | undefined }
  | { phase: "live"; kind: FeedKind }
  /** `atMs`: when the next attempt starts, on `performance.now()`'s clock. */
  | { phase: "reconnecting"; reason: string; atMs: number };

/** Makes a feed; replaced in tests. */
export type OpenFeed = (kind: FeedKind, events: FeedEvents) => Feed;

export type LinkEvents = Pick<FeedEvents, "onCameras" | "onCamera" | "onGone" | "onFrame"> & {
  /** A new connection has opened: it does not know yet what is wanted. */
  onUp: () => void;
};

/** WebSockets that did not open, in a row, before polling is tried. */
const FAILURES_BEFORE_REST = 3;
/** While polling works, how often the WebSocket is tried again. */
const RETRY_SOCKET_MS = 20_000;

export class Link {
  readonly state = new Observable<LinkState>({ phase: "connecting", after: undefined });
  readonly clock: ServerClock;
  readonly #choice: LinkChoice;
  readonly #events: LinkEvents;
  readonly #open: OpenFeed;
  readonly #backoff = new Backoff({ firstMs: 400, maxMs: 8_000 });
  /** The attempt, connection or wait of the moment. */
  #present = new Releases();
  #feed: Feed | undefined;
  #upMs: number | undefined;
  #failures = 0;

  constructor(choice: LinkChoice, events: LinkEvents, clock: ServerClock = new ServerClock(), open?: OpenFeed) {
    this.#choice = choice;
    this.#events = events;
    this.clock = clock;
    this.#open = open ?? ((kind, feedEvents) => (kind === "ws" ? new StreamFeed(clock, feedEvents) : new RestFeed(clock, feedEvents)));
  }

  start(): void {
    this.#connect(this.#choice === "rest" ? "rest" : "ws");
  }

  stop(): void {
    this.#present.close();
    this.#feed = undefined;
  }

  /** Tries now instead of after the wait: the network is back. */
  hurry(): void {
    if (this.state.value.phase === "reconnecting") this.start();
  }

  shown(camera: string, seq: bigint): void {
    this.#feed?.shown(camera, seq);
  }

  want(camera: string, interest: Interest): void {
    this.#feed?.want(camera, interest);
  }

  #connect(kind: FeedKind): void {
    this.#present.close();
    const present = new Releases();
    this.#present = present;
    this.#upMs = undefined;
    const before = this.state.value;
    if (before.phase === "reconnecting") this.state.set({ phase: "connecting", after: before.reason });
    let feed: Feed;
    try {
      feed = this.#open(kind, this.#eventsFor(kind));
    } catch (error) {
      // Browsers throw where an address cannot be used at all, such as plain ws: from an https page.
      this.#down(kind, `The server's address cannot be used (${String(error)}).`, false);
      return;
    }
    this.#feed = feed;
    present.add(() => feed.close());
  }

  #eventsFor(kind: FeedKind): FeedEvents {
    const { onCameras, onCamera, onGone, onFrame } = this.#events;
    return {
      onCameras, onCamera, onGone, onFrame,
      onUp: () => this.#up(kind),
      onDown: (reason, wasUp) => this.#down(kind, reason, wasUp),
    };
  }

  #up(kind: FeedKind): void {
    this.#upMs = performance.now();
    if (kind === "ws") this.#failures = 0;
    else if (this.#choice === "auto") this.#present.after(RETRY_SOCKET_MS, () => this.#retrySocket());
    this.state.set({ phase: "live", kind });
    this.#events.onUp();
  }

  /** Tries the WebSocket beside the polls, which go on until it is open. */
  #retrySocket(): void {
    const present = this.#present;
    const attempt = this.#open("ws", {
      ...this.#eventsFor("ws"),
      onUp: () => {
        const old = this.#feed;
        this.#feed = attempt;
        old?.close();
        this.#up("ws");
      },
      onDown: (reason, wasUp) => {
        if (wasUp) this.#down("ws", reason, true);
        else present.after(RETRY_SOCKET_MS, () => this.#retrySocket());
      },
    });
    present.add(() => attempt.close());
  }

  #down(kind: FeedKind, reason: string, wasUp: boolean): void {
    this.#present.close();
    this.#feed = undefined;
    if (this.#upMs !== undefined) this.#backoff.lived(performance.now() - this.#upMs);
    if (kind === "ws" && !wasUp) this.#failures += 1;
    const present = new Releases();
    this.#present = present;
    const waitMs = this.#backoff.next();
    this.state.set({ phase: "reconnecting", reason, atMs: performance.now() + waitMs });
    present.after(waitMs, () => this.#connect(this.#next(kind)));
  }

  /** After enough closed doors, polls and WebSocket take turns until one of them works. */
  #next(failed: FeedKind): FeedKind {
    if (this.#choice !== "auto") return this.#choice;
    return failed === "ws" && this.#failures >= FAILURES_BEFORE_REST ? "rest" : "ws";
  }
}
