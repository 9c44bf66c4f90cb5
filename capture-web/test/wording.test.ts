import { describe as group, expect, it } from "vitest";
import { BackgroundWatch } from "../src/background.ts";
import type { TroubleKind } from "../src/media/trouble.ts";
import { advise, placeOf, TROUBLES, type Place } from "../src/ui/advice.ts";
import { describe, describeQuality, describeSteps, speak } from "../src/ui/wording.ts";

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

  it("tell in few words what is wrong with the camera", () => {
    expect(describe({ phase: "camera-failed", kind: "in-use", reason: "x", waits: true }, 0)).toEqual({ tone: "wait", title: "Camera in use", detail: "x" });
    expect(describe({ phase: "camera-failed", kind: "denied", reason: "x", waits: false }, 0)).toMatchObject({ tone: "bad", title: "Camera blocked" });
  });

  it("say when it is this device that has no network", () => {
    expect(describe(reconnecting, 0, false).detail).toBe("The server cannot be reached. This device has no network.");
  });

  it("say what the pictures are encoded to, and why not to what was asked", () => {
    const quality = { fixed: false, level: 0, reason: undefined, quality: 0.7, width: 640, height: 480, fps: 30, encodeMs: 4.84 };
    expect(describeQuality(quality)).toEqual({ title: "As asked for", detail: "640 × 480, 30 fps, quality 70 %, encoded in 4.8 ms" });
    expect(describeQuality({ ...quality, level: 2, reason: "network" }).title).toBe("Lowered: the network does not take more");
    expect(describeQuality({ ...quality, fixed: true, level: 2, reason: "network" }).title).toBe("Fixed");
  });

  it("name the steps to the server, and none where there is no attempt", () => {
    expect(describeSteps(undefined)).toEqual({ signaling: "–", ice: "–", channel: "–" });
    expect(describeSteps({ signaling: "open", ice: "checking", channel: "awaited" })).toEqual({ signaling: "open", ice: "searching", channel: "awaited" });
    expect(describeSteps({ signaling: "open", ice: undefined, channel: undefined }).ice).toBe("not used");
  });
});

group("advice", () => {
  const at = (userAgent: string, origin = "http://cams.lan:8080", maxTouchPoints = 0): Place => {
    const { port } = new URL(origin);
    return placeOf({ location: { origin, port }, navigator: { userAgent, maxTouchPoints }, framed: false });
  };
  const words = (kind: TroubleKind, place: Place): string => advise(kind, place).map(({ text, code = "" }) => `${text} ${code}`).join("\n");

  it("knows phones from desks", () => {
    expect(at("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)").system).toBe("ios");
    expect(at("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", undefined, 5).system).toBe("ios");
    expect(at("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)").system).toBe("desktop");
    expect(at("Mozilla/5.0 (Linux; Android 16)").system).toBe("android");
  });

  it("for an insecure page, names what really opens a camera from there", () => {
    expect(words("insecure", at("X11; Linux"))).toContain("http://localhost:8080/");
    expect(words("insecure", at("Android"))).toContain("adb reverse tcp:8080 tcp:8080");
    expect(words("insecure", at("Android", "http://cams.lan"))).toContain("http://localhost/ ");
    expect(words("insecure", at("iPhone"))).not.toContain("localhost");
    expect(words("insecure", at("iPhone"))).toContain("https://");
  });

  it("for a page inside another, names what that one has to do", () => {
    expect(words("denied", { ...at("X11"), framed: true })).toContain('allow="camera"');
    expect(words("denied", at("X11"))).not.toContain("iframe");
  });

  it("is there for every trouble", () => {
    for (const kind of Object.keys(TROUBLES) as TroubleKind[]) expect(advise(kind, at("X11")).length).toBeGreaterThan(0);
  });
});

group("BackgroundWatch", () => {
  it("tells what a hidden page lost, when it is seen again", () => {
    const watch = new BackgroundWatch();
    watch.hidden(10_000, 100);
    expect(watch.rate(12_000, 102)).toBeUndefined();
    expect(watch.rate(20_000, 110)).toBe(1);
    expect(watch.shown(20_000, 110, 30)).toContain("only 1.0 pictures a second");
    expect(watch.shown(30_000, 110, 30)).toBeUndefined();
  });

  it("has nothing to tell where all went on, or of a glance elsewhere", () => {
    const watch = new BackgroundWatch();
    watch.hidden(0, 0);
    expect(watch.shown(10_000, 290, 30)).toBeUndefined();
    watch.hidden(0, 0);
    expect(watch.shown(2_000, 0, 30)).toBeUndefined();
  });

  it("tells of a camera that stood still", () => {
    const watch = new BackgroundWatch();
    watch.hidden(0, 7);
    expect(watch.shown(60_000, 7, 30)).toContain("no pictures");
  });
});
