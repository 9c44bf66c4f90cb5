import { describe, expect, it } from "vitest";
import { formatAge, formatDuration, formatRate, formatSince, sentence } from "../src/words.ts";

describe("words", () => {
  it("rates", () => {
    expect([0, 900, 9_400, 950_000, 12_340_000].map(formatRate)).toEqual(["0 kB/s", "0.9 kB/s", "9.4 kB/s", "950 kB/s", "12.3 MB/s"]);
  });

  it("ages", () => {
    expect([-3, 24.4, 999, 1000, 61_000].map(formatAge)).toEqual(["0 ms", "24 ms", "999 ms", "1 s", "1 min"]);
  });

  it("durations", () => {
    expect([0, 59_999, 60_000, 7_200_000, 200_000_000].map(formatDuration)).toEqual(["0 s", "59 s", "1 min", "2 h", "2 d"]);
  });

  it("sentences", () => {
    expect(["a newer publisher took this camera", "Gone.", " why? ", ""].map(sentence)).toEqual(["A newer publisher took this camera.", "Gone.", "Why?", ""]);
  });

  it("times, the shorter the nearer", () => {
    const noon = new Date(2025, 5, 18, 12, 0, 0).getTime();
    expect(formatSince(noon - 3_600_000, noon)).toBe("11:00:00");
    expect(formatSince(noon - 2 * 86_400_000, noon)).toBe("Mon 12:00");
    expect(formatSince(noon - 30 * 86_400_000, noon)).toBe("2025-05-19 12:00");
  });
});
