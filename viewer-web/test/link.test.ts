import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ServerClock } from "@framecast/shared/clock";
import type { Feed, FeedEvents } from "../src/feed/feed.ts";
import { Link, type FeedKind, type LinkChoice } from "../src/feed/link.ts";

class FakeFeed implements Feed {
  closed = false;

  constructor(readonly kind: FeedKind, readonly events: FeedEvents) {}

  shown(): void {}

  want(): void {}

  close(): void {
    this.closed = true;
  }
}

describe("Link", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  function open(choice: LinkChoice = "auto"): { link: Link; feeds: FakeFeed[]; newest: () => FakeFeed; ups: () => number } {
    const feeds: FakeFeed[] = [];
    let ups = 0;
    const none = (): void => undefined;
    const link = new Link(choice, { onUp: () => (ups += 1), onCameras: none, onCamera: none, onGone: none, onFrame: none }, new ServerClock(), (kind, events) => {
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
    return { link, feeds, newest, ups: () => ups };
  }

  const failSocket = (feed: FakeFeed): void => {
    feed.events.onDown("closed door", false);
    vi.advanceTimersByTime(10_000);
  };

  it("streams, and comes back after a loss", () => {
    const { link, feeds, newest, ups } = open();
    newest().events.onUp();
    expect(link.state.value).toEqual({ phase: "live", kind: "ws" });
    newest().events.onDown("lost", true);
    expect(link.state.value).toMatchObject({ phase: "reconnecting", reason: "lost" });
    vi.advanceTimersByTime(500);
    newest().events.onUp();
    expect(feeds.map((feed) => feed.kind)).toEqual(["ws", "ws"]);
    expect(ups()).toBe(2);
  });

  it("polls after three WebSockets that did not open", () => {
    const { link, feeds, newest } = open();
    for (let i = 0; i < 3; i += 1) failSocket(newest());
    expect(feeds.map((feed) => feed.kind)).toEqual(["ws", "ws", "ws", "rest"]);
    newest().events.onUp();
    expect(link.state.value).toEqual({ phase: "live", kind: "rest" });
  });

  it("does not poll because of connections that were lost, however many", () => {
    const { feeds, newest } = open();
    for (let i = 0; i < 10; i += 1) {
      newest().events.onUp();
      newest().events.onDown("lost", true);
      vi.advanceTimersByTime(10_000);
    }
    expect(new Set(feeds.map((feed) => feed.kind))).toEqual(new Set(["ws"]));
  });

  it("tries both in turn while neither works", () => {
    const { feeds, newest } = open();
    for (let i = 0; i < 7; i += 1) failSocket(newest());
    expect(feeds.map((feed) => feed.kind)).toEqual(["ws", "ws", "ws", "rest", "ws", "rest", "ws", "rest"]);
  });

  it("goes on polling until a WebSocket is open again, then changes over", () => {
    const { link, feeds, newest } = open();
    for (let i = 0; i < 3; i += 1) failSocket(newest());
    const polls = newest();
    polls.events.onUp();
    vi.advanceTimersByTime(20_000);
    newest().events.onDown("still closed", false);
    expect(link.state.value).toEqual({ phase: "live", kind: "rest" });
    expect(polls.closed).toBe(false);
    vi.advanceTimersByTime(20_000);
    expect(newest().kind).toBe("ws");
    newest().events.onUp();
    expect(link.state.value).toEqual({ phase: "live", kind: "ws" });
    expect(polls.closed).toBe(true);
    expect(feeds).toHaveLength(6);
  });

  it.each([["ws", "ws"], ["rest", "rest"]] as const)("keeps to %s where it was asked for", (choice, kind) => {
    const { feeds, newest } = open(choice);
    for (let i = 0; i < 5; i += 1) failSocket(newest());
    expect(new Set(feeds.map((feed) => feed.kind))).toEqual(new Set([kind]));
  });

  it("stops for good", () => {
    const { link, feeds, newest } = open();
    newest().events.onDown("lost", false);
    link.stop();
    vi.advanceTimersByTime(60_000);
    expect(feeds).toHaveLength(1);
  });

  it("hurries when told that the network is back", () => {
    const { link, feeds, newest } = open();
    newest().events.onDown("lost", false);
    link.hurry();
    expect(feeds).toHaveLength(2);
    link.hurry();
    expect(feeds).toHaveLength(2);
  });
});
