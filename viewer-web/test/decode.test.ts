import { describe, expect, it } from "vitest";
import { divisorFor } from "../src/picture/decode.ts";
import { readJpegHead } from "../src/picture/jpeg-head.ts";

const SOI = [0xff, 0xd8];
const JFIF = [0xff, 0xe0, 0, 4, 1, 1];
const EXIF = [0xff, 0xe1, 0, 8, 0x45, 0x78, 0x69, 0x66, 0, 0];
const XMP = [0xff, 0xe1, 0, 6, 0x68, 0x74, 0x74, 0x70];
/** A table whose marker stands among those of frame headers. */
const DHT = [0xff, 0xc4, 0, 3, 0];
const SOS = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 0x3f, 0];
/** 480 lines of 640. */
const SOF2 = [0xff, 0xc2, 0, 11, 8, 0x01, 0xe0, 0x02, 0x80, 1, 1, 0x11, 0];

const head = (...parts: number[][]): ReturnType<typeof readJpegHead> => readJpegHead(Uint8Array.from(parts.flat()));

describe("readJpegHead", () => {
  it("finds the size behind other segments and fill bytes", () => {
    expect(head(SOI, JFIF, XMP, DHT, [0xff, 0xff], SOF2, SOS)).toEqual({ width: 640, height: 480, mayBeTurned: false });
  });

  it("says where EXIF might turn the picture", () => {
    for (const parts of [[EXIF, SOF2], [SOF2, EXIF]]) expect(head(SOI, ...parts, SOS)).toEqual({ width: 640, height: 480, mayBeTurned: true });
  });

  it("finds nothing in what is cut short, or is no JPEG, wherever its bytes stand", () => {
    for (const bytes of [[], SOI, [...SOI, ...JFIF, ...SOF2.slice(0, 8)], [...SOI, 0, 0, ...SOF2, ...SOS], [...SOI, 0xff, 0xe0, 0xff, 0xff, ...SOF2, ...SOS], [...SOI, ...SOF2], [...SOI, ...SOS]]) expect(head(bytes)).toBeUndefined();
    const inside = Uint8Array.from([9, 9, ...SOI, ...SOF2, ...SOS]).subarray(2);
    expect(readJpegHead(inside)?.width).toBe(640);
  });
});

describe("divisorFor", () => {
  const picture = { width: 640, height: 480, mayBeTurned: false };

  it("halves as often as still fills what is shown", () => {
    expect([640, 321, 320, 161, 160, 80, 10].map((shown) => divisorFor(picture, shown))).toEqual([undefined, undefined, 2, 2, 4, 8, 8]);
  });

  it("leaves whole what may be turned, and all until the width is known", () => {
    expect(divisorFor({ ...picture, mayBeTurned: true }, 100)).toBeUndefined();
    expect(divisorFor(picture, Infinity)).toBeUndefined();
  });
});
