import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ServerClock } from "@framecast/shared/clock";
import type { Feed, FeedEvents } from "../src/feed/feed.ts";
import { Link, type FeedKind, type LinkChoice } from "../src/feed/link.ts";

class FakeFeed implements Feed {
  closed = false;

  constructor(readonly kind: FeedKind, readonly events: FeedEvents) {}

  shown(): void {}

  readonly wants: string[] = [];

  want(camera: string): void {
    this.wants.push(camera);
  }

  close(): void {
    this.closed = true;
  }
}

describe("Link", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  function open(choice: LinkChoice = "auto"): { link: Link; feeds: FakeFeed[]; newest: () => FakeFeed } {
    const feeds: FakeFeed[] = [];
    const none = (): void => undefined;
    const link = new Link(choice, { onCameras: none, onCamera: none, onGone: none, onFrame: none, onRefused: none, onServed: none }, new ServerClock(), (kind, events) => {
      const feed = new FakeFeed(kind, events);
      feeds.push(feed);
      return feed;
    });
    link.start();
    const newest = (): FakeFeed => {
      const feed = feeds.at(-1);
      if (feed === undefined) throw new Error("no feed");
      return feed;
    };
    return { link, feeds, newest };
  }

  const failSocket = (feed: FakeFeed): void => {
    feed.events.onDown("closed door", "refused");
    vi.advanceTimersByTime(10_000);
  };

  it("streams, and comes back after a loss", () => {
    const { link, feeds, newest } = open();
    newest().events.onUp();
    expect(link.state.value).toEqual({ phase: "live", kind: "ws" });
    newest().events.onDown("lost", "lost");
    expect(link.state.value).toMatchObject({ phase: "reconnecting", reason: "lost" });
    vi.advanceTimersByTime(500);
    newest().events.onUp();
    expect(feeds.map((feed) => feed.kind)).toEqual(["ws", "ws"]);
  });

  it("streams over HTTP after three WebSockets that did not open", () => {
    const { link, feeds, newest } = open();
    for (let i = 0; i < 3; i += 1) failSocket(newest());
    expect(feeds.map((feed) => feed.kind)).toEqual(["ws", "ws", "ws", "mjpeg"]);
    newest().events.onUp();
    expect(link.state.value).toEqual({ phase: "live", kind: "mjpeg" });
  });

  it("does not step down because of connections that were lost, however many", () => {
    const { feeds, newest } = open();
    for (let i = 0; i < 10; i += 1) {
      newest().events.onUp();
      newest().events.onDown("lost", "lost");
      vi.advanceTimersByTime(10_000);
    }
    expect(new Set(feeds.map((feed) => feed.kind))).toEqual(new Set(["ws"]));
  });

  it("tries all in turn while none works", () => {
    const { feeds, newest } = open();
    for (let i = 0; i < 7; i += 1) failSocket(newest());
    expect(feeds.map((feed) => feed.kind)).toEqual(["ws", "ws", "ws", "mjpeg", "rest", "ws", "mjpeg", "rest"]);
  });

  it("goes on over HTTP until a WebSocket is open again, then changes over", () => {
    const { link, feeds, newest } = open();
    for (let i = 0; i < 3; i += 1) failSocket(newest());
    const polls = newest();
    polls.events.onUp();
    vi.advanceTimersByTime(20_000);
    newest().events.onDown("still closed", "refused");
    expect(link.state.value).toEqual({ phase: "live", kind: "mjpeg" });
    expect(polls.closed).toBe(false);
    vi.advanceTimersByTime(20_000);
    expect(newest().kind).toBe("ws");
    newest().events.onUp();
    expect(link.state.value).toEqual({ phase: "live", kind: "ws" });
    expect(polls.closed).toBe(true);
    expect(feeds).toHaveLength(6);
  });

  it.each([["ws", "ws"], ["mjpeg", "mjpeg"], ["rest", "rest"]] as const)("keeps to %s where it was asked for", (choice, kind) => {
    const { feeds, newest } = open(choice);
    for (let i = 0; i < 5; i += 1) failSocket(newest());
    expect(new Set(feeds.map((feed) => feed.kind))).toEqual(new Set([kind]));
  });

  it("tells a new connection what is wanted, but of no camera that is gone", () => {
    const { link, newest } = open();
    newest().events.onUp();
    for (const camera of ["door", "yard"]) link.want(camera, { visible: false, width: 320, fps: undefined });
    newest().events.onGone("yard");
    newest().events.onDown("lost", "lost");
    vi.advanceTimersByTime(500);
    newest().events.onUp();
    expect(newest().wants).toEqual(["door"]);
  });

  it("says nothing of the width of a camera that is not seen", () => {
    const { link, newest } = open();
    newest().events.onUp();
    const told = (): number => newest().wants.length;
    const want = (visible: boolean, width: number): void => link.want("door", { visible, width, fps: undefined });
    want(true, 320);
    want(true, 640);
    want(false, 640);
    expect(told()).toBe(3);
    want(false, 1280);
    expect(told()).toBe(3);
    want(true, 1280);
    expect(told()).toBe(4);
  });

  it("goes to polls at once where pictures are held back", () => {
    const { link, newest } = open();
    for (let i = 0; i < 3; i += 1) failSocket(newest());
    newest().events.onUp();
    newest().events.onDown("held back", "stalled");
    vi.advanceTimersByTime(1);
    newest().events.onUp();
    expect(link.state.value).toEqual({ phase: "live", kind: "rest", because: "held back" });
    // The WebSocket needs no excuse.
    vi.advanceTimersByTime(20_000);
    newest().events.onUp();
    expect(link.state.value).toEqual({ phase: "live", kind: "ws" });
  });

  it("polls and says why where MJPEG was asked for and brings nothing", () => {
    const { link, feeds, newest } = open("mjpeg");
    newest().events.onUp();
    newest().events.onDown("Not in this browser.", "unable");
    vi.advanceTimersByTime(1);
    newest().events.onUp();
    expect(link.state.value).toEqual({ phase: "live", kind: "rest", because: "Not in this browser." });
    newest().events.onDown("lost", "lost");
    vi.advanceTimersByTime(10_000);
    newest().events.onUp();
    vi.advanceTimersByTime(600_000);
    expect(feeds.map((feed) => feed.kind)).toEqual(["mjpeg", "rest", "rest"]);
  });

  it("tries MJPEG again where it was asked for and stalled, and polls until pictures come by it", () => {
    const { link, feeds, newest } = open("mjpeg");
    newest().events.onUp();
    link.want("door", { visible: true, width: 320, fps: undefined });
    newest().events.onDown("held back", "stalled");
    vi.advanceTimersByTime(1);
    const polls = newest();
    polls.events.onUp();
    vi.advanceTimersByTime(20_000);
    newest().events.onUp();
    expect(newest().wants).toEqual(["door"]);
    newest().events.onDown("held back", "stalled");
    expect([link.state.value, polls.closed]).toEqual([{ phase: "live", kind: "rest", because: "held back" }, false]);
    vi.advanceTimersByTime(40_000);
    const better = newest();
    better.events.onUp();
    expect(polls.closed).toBe(false);
    better.events.onStreamed?.();
    expect([link.state.value, polls.closed, better.closed]).toEqual([{ phase: "live", kind: "mjpeg" }, true, false]);
    expect(feeds.map((feed) => feed.kind)).toEqual(["mjpeg", "rest", "mjpeg", "mjpeg"]);
    // A stall of it is one as before, and a stop ends it.
    better.events.onDown("held back", "stalled");
    vi.advanceTimersByTime(1);
    expect(newest().kind).toBe("rest");
    newest().events.onUp();
    vi.advanceTimersByTime(80_000);
    newest().events.onUp();
    newest().events.onStreamed?.();
    link.stop();
    expect(feeds.every((feed) => feed.closed)).toBe(true);
  });

  it("stops for good", () => {
    const { link, feeds, newest } = open();
    newest().events.onDown("lost", "refused");
    link.stop();
    vi.advanceTimersByTime(60_000);
    expect(feeds).toHaveLength(1);
  });

  it("hurries when told that the network is back", () => {
    const { link, feeds, newest } = open();
    newest().events.onDown("lost", "refused");
    link.hurry();
    expect(feeds).toHaveLength(2);
    link.hurry();
    expect(feeds).toHaveLength(2);
  });
});
