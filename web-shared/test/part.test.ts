import { describe, expect, it } from "vitest";
import { MAX_PARTS, PART_HEADER_BYTES, splitFrame } from "../src/wire/part.ts";
import { fromHex, readVectors, toHex } from "./vectors.ts";

interface Case {
  name: string;
  error?: string;
  flags: number;
  seq: string;
  captured_us: string;
  jpeg_hex: string;
  part_payload_limit: number;
  parts: string[];
}

describe("splitFrame", () => {
  // A case with flags set is one that receivers must accept, not one that this splitter writes.
  const cases = readVectors<Case>("part.json").filter((c) => c.error === undefined && c.flags === 0);

  it.each(cases)("splits: $name", (c) => {
    const frame = { seq: BigInt(c.seq), capturedUs: BigInt(c.captured_us), jpeg: fromHex(c.jpeg_hex) };
    expect(splitFrame(frame, c.part_payload_limit).map(toHex)).toEqual(c.parts);
  });

  it("has cases", () => {
    expect(cases.length).toBeGreaterThan(5);
  });

  it("keeps to the limit and loses nothing, whatever the sizes", () => {
    for (let length = 1; length < 60; length += 1) {
      const jpeg = Uint8Array.from({ length }, (_, index) => index);
      for (let limit = 1; limit <= length + 1; limit += 1) {
        const parts = splitFrame({ seq: 1n, capturedUs: 0n, jpeg }, limit).map((part) => part.subarray(PART_HEADER_BYTES));
        expect(parts.every((part) => part.length >= 1 && part.length <= limit)).toBe(true);
        expect(parts.flatMap((part) => [...part])).toEqual([...jpeg]);
      }
    }
  });

  it("refuses what the header cannot say", () => {
    const frame = (length: number): Parameters<typeof splitFrame>[0] => ({ seq: 1n, capturedUs: 0n, jpeg: new Uint8Array(length) });
    expect(splitFrame(frame(MAX_PARTS), 1)).toHaveLength(MAX_PARTS);
    expect(() => splitFrame(frame(MAX_PARTS + 1), 1)).toThrow(RangeError);
    expect(() => splitFrame(frame(0), 100)).toThrow(RangeError);
    expect(() => splitFrame(frame(10), 0)).toThrow(RangeError);
  });
});
