import { describe, expect, it } from "vitest";
import { PlayLadder, readPlayChoice, type PlayChoice, type Step } from "../src/video/ladder.ts";
import type { WayEnd } from "../src/video/way.ts";

const end = (ending: WayEnd["ending"], retryMs?: number): WayEnd => ({ ending, reason: `It is ${ending}.`, retryMs });
const ladder = (choice: PlayChoice = "auto"): PlayLadder => new PlayLadder(choice, () => 1);
const rung = (step: Step): string => (step.do === "try" ? step.rung : `wait ${step.waitMs}`);

describe("the ladder of a camera's video", () => {
  it("begins with WebRTC and goes down where a way fails", () => {
    const it = ladder();
    expect(rung(it.top)).toBe("whep");
    expect(rung(it.after("whep", end("failed")))).toBe("hls");
    expect(rung(it.after("hls", end("failed")))).toBe("jpeg");
  });

  it("opens a way anew that worked until now, and goes down only where that fails", () => {
    const it = ladder();
    expect(rung(it.after("whep", end("lost")))).toBe("whep");
    expect(rung(it.after("whep", end("failed")))).toBe("hls");
  });

  it("does not try again what cannot work, until the camera's video is another", () => {
    const it = ladder();
    expect(rung(it.after("whep", end("unsupported")))).toBe("hls");
    expect(rung(it.top)).toBe("hls");
    expect(it.climb("hls")).toBeUndefined();
    it.renew();
    expect(rung(it.top)).toBe("whep");
  });

  it("waits where the camera itself is not to be had, longer each time, and as long as the server says", () => {
    const it = ladder();
    expect([1, 2, 3].map(() => rung(it.after("whep", end("unavailable"))))).toEqual(["wait 1000", "wait 2000", "wait 4000"]);
    expect(rung(it.after("whep", end("unavailable", 20_000)))).toBe("wait 20000");
    it.lived("whep", 60_000);
    expect(rung(it.after("whep", end("unavailable")))).toBe("wait 1000");
  });

  it("waits for 10 s at most by itself, so that the server goes on dialling the camera", () => {
    const it = ladder();
    const waits = Array.from({ length: 8 }, () => rung(it.after("whep", end("unavailable"))));
    expect(waits.slice(3)).toEqual(["wait 8000", "wait 10000", "wait 10000", "wait 10000", "wait 10000"]);
  });

  it("says what failed rather than what can never work", () => {
    const it = ladder();
    it.rule("whep", "H.265 does not go over WebRTC");
    it.rule("jpeg", "set the camera to H.264");
    expect(it.after("hls", end("failed"))).toMatchObject({ do: "wait", reason: "It is failed." });
    expect(rung(it.top)).toBe("hls");
    expect(it.after("hls", end("unsupported"))).toMatchObject({ do: "wait", reason: "set the camera to H.264" });
  });

  it("says why where no way is left", () => {
    const it = ladder();
    it.rule("whep", "no WebRTC");
    it.rule("hls", "no HLS");
    it.rule("jpeg", "H.265 is not made into pictures");
    expect(it.top).toMatchObject({ do: "wait", reason: "H.265 is not made into pictures" });
  });

  it("tries what is better beside what works, ever less often", () => {
    const it = ladder();
    expect(it.climb("jpeg")).toEqual({ rungs: ["whep", "hls"], afterMs: 20_000 });
    expect(it.climb("hls")).toEqual({ rungs: ["whep"], afterMs: 40_000 });
    for (let tries = 0; tries < 9; tries += 1) it.climb("hls");
    expect(it.climb("hls")?.afterMs).toBe(300_000);
    it.lived("whep", 1);
    expect(it.climb("hls")?.afterMs).toBe(20_000);
    expect(it.climb("whep")).toBeUndefined();
  });

  it("keeps to what was asked for", () => {
    const it = ladder("hls");
    expect(rung(it.top)).toBe("hls");
    expect(rung(it.after("hls", end("failed")))).toBe("wait 1000");
    expect(it.climb("hls")).toBeUndefined();
  });

  it.each([
    ["", "auto"], ["play=hls", "hls"], ["play=whep&transport=rest", "whep"], ["transport=jpeg", "jpeg"], ["transport=hls", "hls"],
    ["transport=mjpeg", "jpeg"], ["transport=rest", "jpeg"], ["transport=ws", "auto"], ["play=magic", "auto"],
  ])("%j asks for %s", (query, choice) => {
    expect(readPlayChoice(new URLSearchParams(query))).toBe(choice);
  });
});
