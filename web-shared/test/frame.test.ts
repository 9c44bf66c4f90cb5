import { describe, expect, it } from "vitest";
import { parseFrame } from "../src/wire/frame.ts";
import { fromHex, readVectors, toHex } from "./vectors.ts";

interface Case {
  name: string;
  message_hex: string;
  error?: string;
  seq: string;
  captured_us: string;
  received_us: string;
  width: number;
  height: number;
  camera: string;
  jpeg_hex: string;
}

describe("parseFrame", () => {
  const cases = readVectors<Case>("frame.json");

  it.each(cases.filter((c) => c.error === undefined))("reads: $name", (c) => {
    const parsed = parseFrame(fromHex(c.message_hex).buffer);
    if (!parsed.ok) throw new Error(`refused as ${parsed.error}`);
    const { frame } = parsed;
    expect(frame.camera).toBe(c.camera);
    expect(frame.seq).toBe(BigInt(c.seq));
    expect(frame.capturedUs).toBe(Number(c.captured_us));
    expect(frame.receivedUs).toBe(Number(c.received_us));
    expect([frame.width, frame.height]).toEqual([c.width, c.height]);
    expect(toHex(frame.jpeg)).toBe(c.jpeg_hex);
  });

  it.each(cases.filter((c) => c.error !== undefined))("refuses: $name", (c) => {
    expect(parseFrame(fromHex(c.message_hex).buffer)).toEqual({ ok: false, error: c.error });
  });

  it("has cases of both sorts", () => {
    expect(cases.filter((c) => c.error === undefined).length).toBeGreaterThan(5);
    expect(cases.filter((c) => c.error !== undefined).length).toBeGreaterThan(5);
  });
});
