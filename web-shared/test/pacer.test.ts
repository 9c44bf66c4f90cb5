import { describe, expect, it } from "vitest";
import { Pacer } from "../src/pacer.ts";

function takenInTenSeconds(fps: number, cameraFps: number, jitter: (index: number) => number = () => 0): number {
  const pacer = new Pacer(fps);
  let taken = 0;
  for (let index = 0; index < cameraFps * 10; index += 1) {
    if (pacer.take((index * 1000) / cameraFps + jitter(index))) taken += 1;
  }
  return taken;
}

describe("Pacer", () => {
  it("takes everything of a camera at the limit, jitter or not", () => {
    expect(takenInTenSeconds(30, 30)).toBe(300);
    expect(takenInTenSeconds(30, 30, (index) => (index % 2 === 0 ? 4 : -4))).toBe(300);
  });

  it("takes everything of a slower camera", () => {
    expect(takenInTenSeconds(30, 12)).toBe(120);
  });

  it("halves a camera of twice the rate", () => {
    expect(takenInTenSeconds(15, 30)).toBe(150);
    expect(takenInTenSeconds(30, 60)).toBe(300);
  });

  it("comes close where the rates do not divide", () => {
    expect(takenInTenSeconds(20, 30)).toBeGreaterThanOrEqual(195);
    expect(takenInTenSeconds(20, 30)).toBeLessThanOrEqual(205);
  });

  it("keeps the rate exactly over an hour, at every rate and with jitter", () => {
    for (let fps = 1; fps <= 30; fps += 1) {
      const pacer = new Pacer(fps);
      let taken = 0;
      const seconds = 3_600;
      for (let index = 0; index < seconds * 30; index += 1) {
        // Up to 6 ms early or late, without a pattern that fits the rates.
        if (pacer.take((index * 1000) / 30 + 6 * Math.sin(index * 1.7))) taken += 1;
      }
      expect(Math.abs(taken - fps * seconds), `${fps} fps`).toBeLessThanOrEqual(2);
    }
  });

  it("takes up another rate at once, without a burst or a gap", () => {
    const pacer = new Pacer(30);
    const takenAt = (fromMs: number, toMs: number): number[] => {
      const times = Array.from({ length: Math.round(((toMs - fromMs) * 30) / 1000) }, (_, index) => fromMs + (index * 1000) / 30);
      return times.filter((at) => pacer.take(at));
    };
    expect(takenAt(0, 1_000)).toHaveLength(30);
    pacer.fps = 5;
    const slow = takenAt(1_000, 3_000);
    expect(slow).toHaveLength(10);
    expect((slow[0] ?? 0) - 1_000 + 1000 / 30).toBeCloseTo(200, -2);
    pacer.fps = 30;
    expect(takenAt(3_000, 4_000).length).toBeGreaterThanOrEqual(29);
  });

  it("does not make up for a gap in a burst", () => {
    const pacer = new Pacer(10);
    pacer.take(0);
    const taken = [5000, 5010, 5020, 5030, 5100].filter((at) => pacer.take(at));
    expect(taken).toEqual([5000, 5100]);
  });
});
