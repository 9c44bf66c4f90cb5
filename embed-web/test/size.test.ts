import { describe, expect, it } from "vitest";
import { wantedWidth } from "../src/size.ts";

const wide = 16 / 9;

describe("wantedWidth", () => {
  it("counts device pixels, rounded up to a step", () => {
    expect(wantedWidth({ width: 300, height: 225, density: 1, fit: null, aspect: undefined })).toBe(320);
    expect(wantedWidth({ width: 320, height: 240, density: 2, fit: null, aspect: 4 / 3 })).toBe(640);
    expect(wantedWidth({ width: 321, height: 240, density: 1, fit: "fill", aspect: wide })).toBe(480);
  });

  it("is what a picture takes that is contained in a broad element", () => {
    expect(wantedWidth({ width: 1600, height: 360, density: 1, fit: null, aspect: wide })).toBe(640);
  });

  it("is what a picture takes that covers a tall element, more than the element is wide", () => {
    expect(wantedWidth({ width: 360, height: 720, density: 1, fit: "cover", aspect: wide })).toBe(1280);
  });

  it("is a step for an element without a size", () => {
    expect(wantedWidth({ width: 0, height: 0, density: 1, fit: null, aspect: wide })).toBe(160);
  });
});
