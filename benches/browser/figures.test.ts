import { describe, expect, it } from "vitest";
import { percentile, spread, stageFigures, wayFigures } from "./figures.mjs";
import type { Noted } from "./figures.mjs";

const noted = (what: Partial<Noted>): Noted => ({ sent: [], messages: [], drawn: [], seen: [], unreadable: 0, animationFrames: 0, ...what });

describe("figures", () => {
  it("takes percentiles by rank and the median of an even number in the middle", () => {
    expect(percentile([4, 1, 3, 2], 0.5)).toBe(2);
    expect(percentile([4, 1, 3, 2], 0.99)).toBe(4);
    expect(percentile([], 0.5)).toBeNaN();
    expect(spread([1, 10, 2, 3])).toEqual({ median: 2.5, min: 1, max: 10 });
    expect(spread([5])).toEqual({ median: 5, min: 5, max: 5 });
  });

  it("counts a frame as lost only when a later one came", () => {
    const way = wayFigures(
      noted({ sent: [[100, 1], [200, 2], [300, 3], [400, 4]] }),
      noted({ messages: [[50, 60, 0.5], [100, 110, 3], [300, 310, 7]] }),
    );
    expect(way).toEqual({ p50_ms: 2, p99_ms: 4, frames: 2, lost: 1 });
  });

  it("follows each picture through its stages, on the pages' clock", () => {
    // The server's clock is 1 ms ahead: taken at 1001 and 1034, in milliseconds of the pages.
    const source = noted({ sent: [[1_002_000, 1006], [1_035_000, 1039]] });
    const shown = noted({
      messages: [[1_002_000, 1_009_000, 1009], [1_035_000, 1_042_000, 1042]],
      drawn: [1012, 1045],
      seen: [[1000, 1020], [1033, 1053]],
    });
    expect(stageFigures(source, shown, 1)).toEqual({ camera_ms: 1, encode_ms: 5, up_ms: 2, down_ms: 1, decode_ms: 3, paint_ms: 8 });
  });
});
