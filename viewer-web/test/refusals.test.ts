import { describe, expect, it } from "vitest";
import type { Refusal } from "../src/feed/feed.ts";
import { readHttpRefusal, Refusals } from "../src/feed/refusals.ts";
import { describeRefusal } from "../src/ui/wording.ts";

const body = (code: string, message: string): string => JSON.stringify({ error: { code, message } });

describe("refusals", () => {
  it("are of a camera in the server's own words, and told apart from a connection that fails", () => {
    expect(readHttpRefusal(415, body("unsupported_codec", "camera yard sends H.265"))).toEqual({ code: "unsupported_codec", reason: "Camera yard sends H.265." });
    expect(readHttpRefusal(503, body("at_capacity", "stream at capacity"))?.code).toBe("at_capacity");
    expect(readHttpRefusal(503, body("camera_offline", "camera yard is offline: it does not answer"))).toBeUndefined();
    expect(readHttpRefusal(503, "<h1>Service Unavailable</h1>")).toBeUndefined();
    expect(readHttpRefusal(404, body("unknown_camera", "no such camera"))).toBeUndefined();
    expect(readHttpRefusal(502, "")).toBeUndefined();
  });

  it("are said in words that fit what the page does", () => {
    const full = describeRefusal({ code: "at_capacity", reason: "Stream at capacity: this camera may have 1 at a time (max_viewers); try again later." });
    expect(full).toEqual({ title: "All seats are taken", detail: "Stream at capacity: this camera may have 1 at a time (max_viewers). Trying again every 5 s." });
    expect(describeRefusal({ code: "unsupported_codec", reason: "Camera yard sends H.265." }).title).toBe("No pictures");
  });

  it("are told once, and their end too", () => {
    const told: [string, Refusal | undefined][] = [];
    const refusals = new Refusals((camera, refusal) => told.push([camera, refusal]));
    const refusal = { code: "at_capacity", reason: "Full." };
    refusals.over("door");
    refusals.refused("door", refusal);
    refusals.refused("door", refusal);
    refusals.over("door");
    refusals.over("door");
    expect(told).toEqual([["door", refusal], ["door", undefined]]);
  });
});
