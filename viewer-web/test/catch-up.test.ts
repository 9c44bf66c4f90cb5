import { describe, expect, it } from "vitest";
import { CatchUp, EVERY_MS, TARGET_S, type Correction } from "../src/video/catch-up.ts";

/** What is done over some steps, the picture moving on unless it stands. */
function run(latencyS: number | undefined, steps: number, standing = false): Correction[] {
  const catchUp = new CatchUp();
  return Array.from({ length: steps }, (_, step) => catchUp.next({ latencyS, positionS: standing ? 7 : 7 + step / 5, nowMs: step * EVERY_MS }));
}

describe("the catch-up", () => {
  it("plays faster behind its target, slower before it, and as it is on it", () => {
    expect(run(0.6, 1)).toEqual([{ do: "play", rate: 1.08 }]);
    expect(run(0.3, 1)).toEqual([{ do: "play", rate: 0.95 }]);
    expect(run(TARGET_S, 1)).toEqual([{ do: "play", rate: 1 }]);
    expect(run(undefined, 1)).toEqual([{ do: "play", rate: 1 }]);
  });

  it("comes to its target from behind and stays there", () => {
    const catchUp = new CatchUp();
    catchUp.next({ latencyS: TARGET_S, positionS: -1, nowMs: -5_000 });
    let latencyS = 1.2;
    let positionS = 0;
    for (let step = 0; step < 100; step += 1) {
      const correction = catchUp.next({ latencyS, positionS, nowMs: step * EVERY_MS });
      if (correction.do !== "play") throw new Error("nothing stands here");
      positionS += (correction.rate * EVERY_MS) / 1000;
      latencyS -= ((correction.rate - 1) * EVERY_MS) / 1000;
    }
    expect(Math.abs(latencyS - TARGET_S)).toBeLessThan(0.05);
  });

  it("jumps after a second without movement, and not again before another", () => {
    const done = run(0.5, 16, true).map((correction) => correction.do);
    expect(done.slice(0, 5)).toEqual(["play", "play", "play", "play", "play"]);
    expect(done.flatMap((deed, step) => (deed === "jump" ? [step] : []))).toEqual([5, 10, 15]);
  });

  it("leaves behind what was loaded first, and only then", () => {
    expect(run(1, 17).flatMap((correction, step) => (correction.do === "jump" ? [step] : []))).toEqual([0, 5, 10]);
  });

  it("jumps where playing faster would take too long", () => {
    expect(run(4, 7).map((correction) => correction.do)).toEqual(["jump", "play", "play", "play", "play", "jump", "play"]);
  });
});
