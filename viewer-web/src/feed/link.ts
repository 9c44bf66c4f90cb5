// Keeps frames coming: opens feeds, waits between attempts, changes over to a better one. Which one is next, the
// ladder says. It knows no cameras and no page.

import { Backoff } from "@framecast/shared/backoff";
import { localNowUs, type ServerClock } from "@framecast/shared/clock";
import { Observable } from "@framecast/shared/observable";
import { Releases } from "@framecast/shared/releases";
import type { Ending, Feed, FeedEvents, Interest } from "./feed.ts";
import { Ladder, type FeedKind, type LinkChoice } from "./ladder.ts";
import { MjpegFeed } from "./mjpeg-feed.ts";
import { RestFeed } from "./rest-feed.ts";
import { StreamFeed } from "./stream-feed.ts";

export type { FeedKind, LinkChoice };

export type LinkState =
  /** `after`: what ended the connection or attempt before. */
  | { phase: "connecting"; after: string | undefined }
  /** `because`: why no better way is left. */
  | { phase: "live"; kind: FeedKind; because?: string | undefined }
  /** `atUnixMs`: when the next attempt starts, on the page's clock. */
  | { phase: "reconnecting"; reason: string; atUnixMs: number };

/** Makes a feed; replaced in tests. */
export type OpenFeed = (kind: FeedKind, events: FeedEvents) => Feed;

export type LinkEvents = Pick<FeedEvents, "onCameras" | "onCamera" | "onGone" | "onFrame" | "onRefused" | "onServed">;

export class Link {
  readonly state = new Observable<LinkState>({ phase: "connecting", after: undefined });
  readonly #ladder: Ladder;
  readonly #events: LinkEvents;
  readonly #open: OpenFeed;
  readonly #backoff = new Backoff({ firstMs: 400, maxMs: 8_000 });
  /** What is wanted of each camera; a new connection does not know it yet. */
  readonly #wanted = new Map<string, Interest>();
  /** The attempt, connection or wait of the moment. */
  #present = new Releases();
  #feed: Feed | undefined;
  #upMs: number | undefined;
  /** Why MJPEG is of no use here. */
  #stalled: string | undefined;

  constructor(choice: LinkChoice, events: LinkEvents, clock: ServerClock, open?: OpenFeed) {
    this.#ladder = new Ladder(choice);
    this.#events = events;
    this.#open = open ?? ((kind, feedEvents) => openFeed(kind, feedEvents, clock));
  }

  start(): void {
    this.#connect(this.#ladder.first);
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
    const before = this.#wanted.get(camera);
    this.#wanted.set(camera, interest);
    // How wide a camera would be that is not wanted is no news to the server.
    if (interest.visible || before?.visible !== false) this.#feed?.want(camera, interest);
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
      this.#down(kind, `The server's address cannot be used (${String(error)}).`, "refused");
      return;
    }
    this.#feed = feed;
    present.add(() => feed.close());
  }

  #eventsFor(kind: FeedKind): FeedEvents {
    const { onCameras, onCamera, onFrame, onRefused, onServed } = this.#events;
    return {
      onCameras, onCamera, onFrame, onRefused, onServed,
      onGone: (camera) => {
        this.#wanted.delete(camera);
        this.#events.onGone(camera);
      },
      onUp: () => this.#up(kind),
      onDown: (reason, ending) => this.#down(kind, reason, ending),
    };
  }

  #up(kind: FeedKind): void {
    this.#upMs = performance.now();
    this.#ladder.up(kind);
    this.#climbFrom(kind);
    this.state.set(kind === "rest" && this.#stalled !== undefined ? { phase: "live", kind, because: this.#stalled } : { phase: "live", kind });
    if (this.#feed !== undefined) this.#wantAll(this.#feed);
  }

  #wantAll(feed: Feed): void {
    for (const [camera, interest] of this.#wanted) feed.want(camera, interest);
  }

  #climbFrom(kind: FeedKind): void {
    const climb = this.#ladder.climb(kind);
    if (climb !== undefined) this.#present.after(climb.afterMs, () => this.#tryBeside(climb.kind, kind));
  }

  /** Tries a better way beside `lower`, which goes on until the better one works. */
  #tryBeside(kind: FeedKind, lower: FeedKind): void {
    const change = (): void => {
      const old = this.#feed;
      this.#feed = attempt;
      old?.close();
      this.#up(kind);
    };
    const attempt = this.#open(kind, {
      ...this.#eventsFor(kind),
      // Only pictures prove MJPEG: what holds them back lets the answers' headers through.
      onUp: () => (kind === "mjpeg" ? this.#wantAll(attempt) : change()),
      onStreamed: () => {
        if (this.#feed !== attempt) change();
      },
      onDown: (reason, ending) => {
        if (this.#feed === attempt) return this.#down(kind, reason, ending);
        if (kind === "mjpeg") this.#ladder.after(kind, ending);
        this.#climbFrom(lower);
      },
    });
    this.#present.add(() => attempt.close());
  }

  #down(kind: FeedKind, reason: string, ending: Ending): void {
    this.#present.close();
    this.#feed = undefined;
    if (this.#upMs !== undefined) this.#backoff.lived(performance.now() - this.#upMs);
    const present = new Releases();
    this.#present = present;
    const next = this.#ladder.after(kind, ending);
    const isHeldBack = ending === "stalled" || ending === "unable";
    if (isHeldBack) this.#stalled = reason;
    // The server is there; only this way to it is no good.
    const waitMs = isHeldBack ? 0 : this.#backoff.next();
    this.state.set({ phase: "reconnecting", reason, atUnixMs: localNowUs() / 1000 + waitMs });
    present.after(waitMs, () => this.#connect(next));
  }
}

function openFeed(kind: FeedKind, events: FeedEvents, clock: ServerClock): Feed {
  switch (kind) {
    case "ws":
      return new StreamFeed(clock, events);
    case "mjpeg":
      return new MjpegFeed(clock, events);
    case "rest":
      return new RestFeed(clock, events);
  }
}
