import { describe, expect, it } from "vitest";
import { describe as say, type Seen } from "../src/status.ts";

const presence = { name: "Front door", online: true, sinceMs: 0, reason: "" };
const seen = (of: Partial<Seen>): Seen => ({ phase: { name: "up", transport: "ws" }, presence, ageMs: 40, camera: "door", nowMs: 1_000_000, ...of });

describe("the words of the element", () => {
  it("is live while the picture is young, and tells its age when it is not", () => {
    expect(say(seen({}))).toEqual({ tone: "live", badge: "LIVE", title: "", detail: "", online: true });
    expect(say(seen({ ageMs: 7_200 }))).toMatchObject({ tone: "wait", badge: "7 s old", title: "", online: true });
    expect(say(seen({ ageMs: undefined }))).toMatchObject({ badge: "Waiting", online: true });
  });

  it("says since when and why a camera is offline", () => {
    const offline = say(seen({ presence: { ...presence, online: false, sinceMs: 940_000, reason: "battery empty" } }));
    expect(offline).toMatchObject({ tone: "bad", badge: "Offline", detail: "Battery empty.", online: false });
    expect(offline.title).toMatch(/^Offline since \d\d:\d\d:\d\d$/);
    expect(say(seen({ presence: undefined }))).toMatchObject({ title: "Waiting for door", online: false });
  });

  it("calls a camera that is being connected neither offline nor live", () => {
    const connecting = { ...presence, online: false, connecting: true, reason: "connecting" };
    expect(say(seen({ presence: connecting, ageMs: undefined }))).toEqual({ tone: "wait", badge: "Connecting", title: "Connecting to the camera", detail: "", online: false });
    expect(say(seen({ presence: connecting, ageMs: 7_200 }))).toMatchObject({ tone: "wait", badge: "7 s old" });
  });

  it("passes on what a server that refuses says must be done", () => {
    const reason = "Pages of http://wall.example may not use this server; to allow it: --allow-origin http://wall.example.";
    expect(say(seen({ phase: { name: "refused", reason, by: "refused" }, ageMs: undefined }))).toMatchObject({ tone: "bad", badge: "Refused", detail: reason, online: false });
    const full = say(seen({ phase: { name: "refused", reason: "Try again later.", by: "full" }, ageMs: undefined }));
    expect(full).toMatchObject({ tone: "bad", title: "All seats are taken", detail: "Try again later." });
  });

  it("says why a camera that is online has no pictures, and does not call it offline", () => {
    const none = say(seen({ presence: { ...presence, reason: "camera door sends H.265" }, ageMs: undefined }));
    expect(none).toMatchObject({ tone: "bad", badge: "No pictures", detail: "Camera door sends H.265.", online: true });
  });

  it("never calls an old picture live", () => {
    for (const phase of [undefined, { name: "waiting", reason: "x" }, { name: "connecting", after: "x" }] as const) {
      expect(say(seen({ phase, ageMs: 9_000 })).badge).toBe("9 s old");
    }
  });
});
