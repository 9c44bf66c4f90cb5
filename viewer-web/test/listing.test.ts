import { describe, expect, it } from "vitest";
import type { Picture } from "../src/engine/messages.ts";
import { hasVideo, readListed } from "../src/listing.ts";
import { readRefusal, refusal } from "../src/video/refusal.ts";
import { Stills } from "../src/video/stills.ts";

describe("the list of cameras", () => {
  const listed = readListed({
    cameras: [
      { id: "web", source: null, seq: 4 },
      { id: "ip", source: { type: "rtsp" }, seq: 0, video: null },
      { id: "live", source: { type: "rtsp" }, seq: 9, video: { codec: "H264", codecs: "avc1.64001f", width: 1920, height: 1080, fps: 30, bitrate: 4e6, generation: 2, audio: "mp4a.40.2" } },
      { id: "jpeg", source: { type: "mjpeg" } },
      { name: "no id" },
      7,
    ],
  });

  it("says which cameras have video", () => {
    expect([...listed.values()].filter(hasVideo).map(({ id }) => id)).toEqual(["ip", "live"]);
    expect(listed.get("live")?.video).toMatchObject({ codec: "h264", codecs: "avc1.64001f", width: 1920, generation: 2, audio: "mp4a.40.2" });
    expect(listed.size).toBe(4);
  });

  it("is not trusted", () => {
    expect(readListed(undefined).size).toBe(0);
    expect(readListed({ cameras: "none" }).size).toBe(0);
    expect(readListed({ cameras: [{ id: "a", source: { type: "exec" }, video: { codec: 4 }, seq: "x" }] }).get("a")).toEqual({ id: "a", source: undefined, video: undefined, seq: 0 });
  });
});

describe("a refusal", () => {
  const body = (code: string): string => JSON.stringify({ error: { code, message: "what to do" } });
  it.each([
    [415, "no_video", "unsupported"], [415, "unsupported_codec", "unsupported"], [503, "at_capacity", "unavailable"], [404, "unknown_camera", "unavailable"],
    [404, "not_found", "failed"], [500, "internal", "failed"],
  ])("of %i %s means %s", (status, code, ending) => {
    expect(refusal(status, body(code), 2_000)).toMatchObject({ ending, reason: "What to do." });
  });

  it("is read off a request for text and for bytes, with the wait that the server asks for", () => {
    for (const response of [body("camera_offline"), new TextEncoder().encode(body("camera_offline")).buffer]) {
      const request = { status: 503, response, getResponseHeader: (name: string) => (name === "Retry-After" ? "2" : null) };
      expect(readRefusal(request)).toEqual({ ending: "unavailable", reason: "What to do.", code: "camera_offline", retryMs: 2_000 });
    }
    expect(readRefusal({ status: 404, response: null, getResponseHeader: () => null })).toEqual({ ending: "failed", reason: "The server answered 404." });
  });

  it("has words also where the server gave none", () => {
    expect(refusal(502, "<html>", undefined)).toEqual({ ending: "failed", reason: "The server answered 502." });
  });
});

describe("stills", () => {
  const picture: Picture = { seq: undefined, jpeg: new Uint8Array(1), takenMs: 1 };
  const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

  it("are fetched once a picture, only where wanted, and by their number", async () => {
    const asked: string[] = [];
    const shown: string[] = [];
    const stills = new Stills<{ id: string }>(({ id }) => shown.push(id), async (id, seq) => {
      asked.push(`${id} ${seq}`);
      return id === "broken" ? Promise.reject(new Error("gone")) : picture;
    });
    const [door, broken] = [{ id: "door" }, { id: "broken" }];
    stills.learned(door, { seq: 0 }, true);
    stills.learned(door, { seq: 5 }, false);
    stills.learned(broken, { seq: 1 }, true);
    stills.learned(door, { seq: 5 }, true);
    stills.learned(door, { seq: 5 }, true);
    await settled();
    stills.learned(door, { seq: 6 }, true);
    await settled();
    expect(asked).toEqual(["broken 1", "door 5", "door 6"]);
    expect(shown).toEqual(["door", "door"]);
    stills.close();
  });

  it("are fetched at once for a camera that may not play", async () => {
    const asked: (number | undefined)[] = [];
    const stills = new Stills<{ id: string }>(() => undefined, async (_, seq) => {
      asked.push(seq);
      return picture;
    });
    const door = { id: "door" };
    stills.refresh(door, true);
    stills.refresh(door, true);
    await settled();
    expect(asked).toEqual([undefined]);
    stills.close();
  });
});
