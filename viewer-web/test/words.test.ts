import { describe, expect, it } from "vitest";
import { readCamera, readCameras } from "../src/feed/feed.ts";
import { largeCamera } from "../src/route.ts";
import { describeCameras, describeLink, describeOffline } from "../src/ui/wording.ts";

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

describe("the address", () => {
  it.each([
    ["#camera=door", "", "door"],
    ["", "?camera=yard", "yard"],
    ["#camera=door", "?camera=yard", "door"],
    ["", "", undefined],
    ["#camera=a/b", "", undefined],
    ["#other", "?transport=ws", undefined],
  ])("%j %j shows %j", (hash, search, camera) => {
    expect(largeCamera(hash, search)).toBe(camera);
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

  it("say since when and why a camera is offline", () => {
    const nowMs = new Date(2025, 5, 18, 12, 0, 0).getTime();
    const info = { camera: "door", name: "", online: false, sinceMs: nowMs - 120_000, reason: "The publisher left.", transport: undefined };
    expect(describeOffline(info, nowMs)).toEqual({ title: "Offline since 11:58:00", detail: "The publisher left · 2 min ago" });
    expect(describeOffline({ ...info, sinceMs: 0, reason: undefined }, nowMs)).toEqual({ title: "Offline", detail: "" });
  });
});
