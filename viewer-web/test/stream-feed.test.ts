import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ServerClock } from "@framecast/shared/clock";
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

  function open(onUp: (feed: () => StreamFeed) => void = () => undefined): { feed: StreamFeed; socket: FakeSocket; subscriptions: () => unknown[] } {
    const none = (): void => undefined;
    const feed: StreamFeed = new StreamFeed(new ServerClock(), {
      onCameras: none, onCamera: none, onGone: none, onFrame: none, onRefused: none, onServed: none, onDown: none,
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
});
