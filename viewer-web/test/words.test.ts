import { describe, expect, it } from "vitest";
import { readCamera, readCameras, readServed } from "../src/feed/feed.ts";
import { readPlace, writePlace } from "../src/route.ts";
import { describeBadge, describeCameras, describeLink, describeNoSound, describeOffline, describePlay, describeQuality, describeWaiting } from "../src/ui/wording.ts";

describe("what the server says of a camera", () => {
  it("is read", () => {
    expect(readCamera({ type: "camera", camera: "door", name: "Front", online: false, since_us: 5_000_000, reason: "gone", transport: null })).toEqual({
      camera: "door", name: "Front", online: false, sinceMs: 5000, reason: "gone", transport: undefined,
    });
  });

  it("is not trusted", () => {
    expect(readCamera({ camera: "../etc" })).toBeUndefined();
    expect(readCamera({ camera: "door", name: 7, online: "yes", since_us: "now" })).toEqual({
      camera: "door", name: "", online: false, sinceMs: 0, reason: undefined, transport: undefined,
    });
    expect(readCameras("no list")).toEqual([]);
    expect(readCameras([null, 3, { camera: "a" }, { id: "b" }]).map(({ camera }) => camera)).toEqual(["a", "b"]);
  });
});

describe("what the server counts", () => {
  it("is read, with a quality or without", () => {
    expect(readServed({ door: { sent: 5, paced: 1, behind: 2, quality: "low" }, yard: { sent: "many" }, attic: 3 })).toEqual({
      door: { sent: 5, paced: 1, behind: 2, quality: "low" },
      yard: { sent: 0, paced: 0, behind: 0, quality: undefined },
    });
    expect(readServed(undefined)).toEqual({});
  });
});

describe("the address", () => {
  it.each([
    ["#camera=door", "", "door"],
    ["", "?camera=yard", "yard"],
    ["#camera=door", "?camera=yard", "door"],
    ["", "", undefined],
    ["#camera=a/b", "", undefined],
    ["#other", "?transport=ws", undefined],
  ])("%j %j shows %j", (hash, search, camera) => {
    expect(readPlace(hash, search).camera).toBe(camera);
  });
});

describe("a place", () => {
  it.each(["camera=door", "layout=9", "filter=back+yard", "camera=door&layout=auto&filter=%C3%A4", "setup", ""])("is written as it was read: %j", (hash) => {
    expect(writePlace(readPlace(`#${hash}`, ""))).toBe(hash);
  });

  it("is not trusted", () => {
    expect(readPlace(`#layout=7&camera=..&filter=${"x".repeat(500)}`, "")).toEqual({ setup: false, camera: undefined, layout: undefined, filter: "x".repeat(100) });
  });
});

describe("words", () => {
  it("count cameras", () => {
    expect([describeCameras(1, 1), describeCameras(3, 3), describeCameras(0, 1), describeCameras(2, 5)]).toEqual([
      "1 camera, online", "3 cameras, all online", "0 of 1 online", "2 of 5 online",
    ]);
  });

  it("count down, but not aloud", () => {
    const state = { phase: "reconnecting", reason: "Lost.", atUnixMs: 5000 } as const;
    expect(describeLink(state, 2400)).toMatchObject({ title: "Reconnecting in 3 s", spoken: "Lost. Reconnecting." });
    expect(describeLink(state, 9000).title).toBe("Reconnecting in 0 s");
  });

  it("tell a moving picture from a standing one", () => {
    expect(describeBadge(true, 40).text).toBe("LIVE");
    expect(describeBadge(false, 7_400).text).toBe("7 s old");
    expect(describeBadge(false, undefined).text).toBe("STILL");
  });

  it("name only qualities they know", () => {
    expect(["source", "low", "<b>", undefined].map(describeQuality)).toEqual(["source", "low", "", ""]);
  });

  it("say since when and why a camera is offline", () => {
    const nowMs = new Date(2025, 5, 18, 12, 0, 0).getTime();
    const info = { camera: "door", name: "", online: false, sinceMs: nowMs - 120_000, reason: "The publisher left.", transport: undefined };
    expect(describeOffline(info, nowMs)).toEqual({ title: "Offline since 11:58:00", detail: "The publisher left\u00a0· 2 min ago" });
    expect(describeOffline({ ...info, sinceMs: 0, reason: undefined }, nowMs)).toEqual({ title: "Offline", detail: "" });
  });

  it("say why a camera's video is not to be had, and when it is tried again", () => {
    expect(describeWaiting({ code: "camera_offline", reason: "Camera gate is offline: nothing answers at 192.0.2.7." }, 2_100)).toEqual({ title: "Offline", detail: "Nothing answers at 192.0.2.7. Trying again in 3 s." });
  });

  it("tell by the server's code, whatever its words, that all seats are taken", () => {
    expect(describeWaiting({ code: "at_capacity", reason: "stream at capacity" }, 0)).toEqual({ title: "All seats are taken", detail: "Stream at capacity. Trying again." });
    expect(describeWaiting({ code: "at_capacity", reason: "Three watch already." }, 0).title).toBe("All seats are taken");
    expect(describeWaiting({ reason: "The encoder is at capacity." }, 0).title).toBe("Offline");
    expect(describeNoSound({ code: "at_capacity", reason: "Three watch already." })).toMatch(/all seats of this camera are taken/);
    expect(describeNoSound({ reason: "The encoder is at capacity." })).toBe("No sound: The encoder is at capacity.");
  });

  it("name the way a video comes", () => {
    expect([describePlay("whep")?.title, describePlay("hls")?.title, describePlay("jpeg")?.title, describePlay(undefined)]).toEqual(["WebRTC", "HLS", "JPEG", undefined]);
  });
});
