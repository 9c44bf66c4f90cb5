import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Engine } from "../src/engine/engine.ts";
import type { Word } from "../src/engine/messages.ts";

class FakeSocket extends EventTarget {
  static readonly OPEN = 1;
  static newest: FakeSocket | undefined;
  readyState = FakeSocket.OPEN;
  binaryType = "";

  constructor() {
    super();
    FakeSocket.newest = this;
  }

  send(): void {
    // Nobody listens.
  }

  close(): void {
    this.readyState = 3;
  }

  hears(data: unknown): void {
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }
}

/** A frame of camera `door`: header, id, and the start of a JPEG. */
function frame(): ArrayBuffer {
  const id = new TextEncoder().encode("door");
  const message = new Uint8Array(33 + id.length + 2);
  message.set([1, 1]);
  message[32] = id.length;
  message.set(id, 33);
  message.set([0xff, 0xd8], 33 + id.length);
  return message.buffer;
}

describe("Engine", () => {
  let nowMs = 0;
  let engine: Engine;
  let socket: FakeSocket;
  let reports: Extract<Word, { say: "figures" }>[];

  beforeEach(() => {
    nowMs = 0;
    // Its timers fire only where a test advances them.
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
    vi.spyOn(performance, "now").mockImplementation(() => nowMs);
    vi.stubGlobal("WebSocket", FakeSocket);
    vi.stubGlobal("location", new URL("http://10.0.0.2:8081/"));
    reports = [];
    engine = new Engine((word) => {
      if (word.say === "figures") reports.push(word);
    });
    engine.obey({ do: "start", choice: "ws" });
    if (FakeSocket.newest === undefined) throw new Error("no socket");
    socket = FakeSocket.newest;
    socket.dispatchEvent(new Event("open"));
    socket.hears(JSON.stringify({ type: "hello", cameras: [{ camera: "door", name: "", online: true }] }));
  });

  afterEach(() => {
    engine.obey({ do: "stop" });
    vi.useRealTimers();
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });

  it("tells the figures five times a second, and none with frames", () => {
    for (let count = 0; count < 10; count += 1) {
      nowMs += 100;
      vi.advanceTimersByTime(100);
      socket.hears(frame());
    }
    expect(reports).toHaveLength(5);
  });

  it("tells the figures with frames where no timer fires", () => {
    for (let count = 0; count < 20; count += 1) {
      nowMs += 100;
      socket.hears(frame());
    }
    expect(reports).toHaveLength(4);
    expect(reports.at(-1)?.figures.cameras["door"]).toMatchObject({ skipped: 19 });
  });
});
