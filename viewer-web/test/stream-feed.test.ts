import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ServerClock } from "@framecast/shared/clock";
import type { Refusal } from "../src/feed/feed.ts";
import { StreamFeed } from "../src/feed/stream-feed.ts";

class FakeSocket extends EventTarget {
  static readonly OPEN = 1;
  static newest: FakeSocket | undefined;
  readyState = 0;
  binaryType = "";
  readonly sent: Record<string, unknown>[] = [];

  constructor(readonly url: string | URL) {
    super();
    FakeSocket.newest = this;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(): void {
    this.readyState = 3;
  }

  open(): void {
    this.readyState = FakeSocket.OPEN;
    this.dispatchEvent(new Event("open"));
  }

  hears(message: object): void {
    this.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify(message) }));
  }
}

describe("StreamFeed", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("WebSocket", FakeSocket);
    vi.stubGlobal("location", new URL("http://10.0.0.2:8081/"));
  });

  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  function open(onUp: (feed: () => StreamFeed) => void = () => undefined, onRefused: (camera: string, refusal: Refusal | undefined) => void = () => undefined): { feed: StreamFeed; socket: FakeSocket; subscriptions: () => unknown[] } {
    const none = (): void => undefined;
    const feed: StreamFeed = new StreamFeed(new ServerClock(), {
      onCameras: none, onCamera: none, onGone: none, onFrame: none, onRefused, onServed: none, onDown: none,
      onUp: () => onUp(() => feed),
    });
    const socket = FakeSocket.newest;
    if (socket === undefined) throw new Error("no socket");
    socket.open();
    return { feed, socket, subscriptions: () => socket.sent.filter((message) => ["subscribe", "unsubscribe"].includes(String(message["type"]))) };
  }

  it("leaves the rate of a camera in sight to the server, before and after hello", () => {
    const { feed, socket, subscriptions } = open((self) => self().want("door", { visible: true, width: 640, fps: undefined }));
    socket.hears({ type: "hello", max_fps: 60, cameras: [] });
    feed.want("door", { visible: true, width: 1280, fps: 15 });
    expect(subscriptions()).toEqual([
      { type: "subscribe", camera: "door", width: 640, quality: "auto" },
      { type: "subscribe", camera: "door", max_fps: 15, width: 1280, quality: "auto" },
    ]);
    feed.close();
  });

  it("wants nothing of a camera out of sight, and all again when it is seen", () => {
    const { feed, subscriptions } = open();
    feed.want("door", { visible: false, width: 640, fps: undefined });
    feed.want("door", { visible: true, width: 640, fps: undefined });
    expect(subscriptions()).toEqual([
      { type: "unsubscribe", camera: "door" },
      { type: "subscribe", camera: "door", width: 640, quality: "auto" },
    ]);
    feed.close();
  });

  it("asks for a camera whose places are taken every five seconds, until there is one", () => {
    const told: (string | undefined)[] = [];
    const { feed, socket, subscriptions } = open(undefined, (camera, refusal) => told.push(camera === "door" ? refusal?.code : camera));
    const full = { type: "error", code: "at_capacity", camera: "door", message: "stream at capacity" };
    feed.want("door", { visible: true, width: 640, fps: undefined });
    socket.hears(full);
    expect(told).toEqual(["at_capacity"]);
    vi.advanceTimersByTime(4_900);
    expect(subscriptions()).toHaveLength(1);
    vi.advanceTimersByTime(200);
    socket.hears(full);
    vi.advanceTimersByTime(5_000);
    expect(subscriptions()).toHaveLength(3);
    expect(told).toEqual(["at_capacity"]);
    // Also where no picture comes, as of a camera that has none yet.
    vi.advanceTimersByTime(2_000);
    expect(told).toEqual(["at_capacity", undefined]);
    feed.close();
  });

  it("leaves a camera in peace that nobody looks at any more", () => {
    const told: unknown[] = [];
    const { feed, socket, subscriptions } = open(undefined, (_, refusal) => told.push(refusal?.code));
    feed.want("door", { visible: true, width: 640, fps: undefined });
    socket.hears({ type: "error", code: "at_capacity", camera: "door", message: "stream at capacity" });
    feed.want("door", { visible: false, width: 640, fps: undefined });
    vi.advanceTimersByTime(20_000);
    expect(subscriptions()).toHaveLength(2);
    expect(told).toEqual(["at_capacity", undefined]);
    feed.close();
  });
});
