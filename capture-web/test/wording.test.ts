import { describe as group, expect, it } from "vitest";
import { describe, speak } from "../src/ui/wording.ts";

group("the station's words", () => {
  const reconnecting = { phase: "reconnecting", reason: "The server cannot be reached.", atMs: 10_000 } as const;

  it("count down, but not aloud", () => {
    expect(describe(reconnecting, 7400).title).toBe("Reconnecting in 3 s");
    expect(describe(reconnecting, 11_000).title).toBe("Reconnecting in 0 s");
    expect(speak(reconnecting)).toBe("Reconnecting. The server cannot be reached.");
  });

  it("name the path, and why it is not the first choice", () => {
    expect(describe({ phase: "live", path: "webrtc", note: undefined }, 0)).toMatchObject({ tone: "live", title: "Live over WebRTC" });
    expect(describe({ phase: "live", path: "websocket", note: "No WebRTC channel opened within 2 s." }, 0)).toMatchObject({
      title: "Live over WebSocket", detail: "No WebRTC channel opened within 2 s.",
    });
  });

  it("tell a camera that is waited for from one that is not", () => {
    expect(describe({ phase: "camera-failed", reason: "x", waits: true }, 0).title).toBe("Waiting for a camera");
    expect(describe({ phase: "camera-failed", reason: "x", waits: false }, 0).title).toBe("No camera");
  });
});
