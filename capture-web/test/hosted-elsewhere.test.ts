import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ServerClock } from "@framecast/shared/clock";
import { RtcSession } from "../src/publish/rtc-session.ts";
import type { SessionEvents } from "../src/publish/session.ts";
import { SocketSession } from "../src/publish/socket-session.ts";

const none = (): void => undefined;
const events: SessionEvents = { onReached: none, onOpen: none, onFeedback: none, onComplaint: none, onEnd: none };
const publication = { camera: "door", name: "Front door" };

describe("a capture page", () => {
  const asked: string[] = [];

  beforeEach(() => {
    asked.length = 0;
    vi.stubGlobal("location", new URL("https://pages.example/capture/index.html"));
    vi.stubGlobal("WebSocket", class extends EventTarget {
      constructor(url: URL) {
        super();
        asked.push(url.href);
      }

      send(): void {}

      close(): void {}
    });
    vi.stubGlobal("RTCPeerConnection", class extends EventTarget {
      createDataChannel(): void {}

      createOffer(): Promise<object> {
        return Promise.resolve({ type: "offer", sdp: "" });
      }

      setLocalDescription(): Promise<void> {
        return Promise.resolve();
      }

      close(): void {}
    });
  });

  afterEach(() => {
    vi.unstubAllEnvs();
    vi.unstubAllGlobals();
  });

  it.each([
    ["the server it was built for", "https://cams.example:8080", "wss://cams.example:8080"],
    ["who serves it, where it was built for nowhere else", "", "wss://pages.example"],
  ])("publishes to %s", (_, base, server) => {
    vi.stubEnv("VITE_INGEST_URL", base);
    new RtcSession(publication, "lifetime", new ServerClock(), events).close();
    new SocketSession(publication, new ServerClock(), events).close();
    expect(asked).toEqual([`${server}/signal`, `${server}/publish/door?name=Front+door`]);
  });
});
