import { afterEach, describe, expect, it, vi } from "vitest";
import { widthOf } from "../src/ui/sight.ts";

function screen(density: number, zoom?: number): void {
  vi.stubGlobal("devicePixelRatio", density);
  vi.stubGlobal("visualViewport", zoom === undefined ? null : { scale: zoom });
}

describe("the width asked for", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("is in steps, so that dragging a window asks for few", () => {
    screen(1);
    expect([1, 160, 161, 470].map((px) => widthOf(px, false))).toEqual([160, 160, 320, 480]);
  });

  it("is in the screen's own pixels, and grows with two fingers", () => {
    screen(2);
    expect(widthOf(320, false)).toBe(640);
    screen(2, 2.5);
    expect(widthOf(320, false)).toBe(1600);
    // Zoomed out: the layout is as wide as it was.
    screen(1, 0.5);
    expect(widthOf(320, false)).toBe(320);
  });

  it("is never a small tile's for a window of its own, nor for one whose tile is gone", () => {
    screen(1.5);
    expect([0, 100, 800].map((px) => widthOf(px, true))).toEqual([960, 960, 1280]);
  });
});
