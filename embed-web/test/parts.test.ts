import { describe, expect, it } from "vitest";
import { PartReader } from "../src/source/parts.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** As the server sends it: the boundary stands before a part's header and after its body. */
const stream = bytes("--framecast\r\nContent-Type: image/jpeg\r\nContent-Length: 5\r\nX-Framecast-Seq: 7\r\n\r\nabcde\r\n--framecast\r\nContent-Length: 2\r\n\r\nxy\r\n--framecast\r\n");

describe("PartReader", () => {
  it("finds the same parts wherever the network cuts", () => {
    for (let size = 1; size <= stream.length; size += 1) {
      const reader = new PartReader();
      const found: [string, string | undefined][] = [];
      for (let at = 0; at < stream.length; at += size) {
        for (const { body, headers } of reader.push(stream.subarray(at, at + size))) found.push([new TextDecoder().decode(body), headers.get("x-framecast-seq")]);
      }
      expect(found, `pieces of ${size}`).toEqual([["abcde", "7"], ["xy", undefined]]);
    }
  });

  it("refuses what has no length, no end, or no measure", () => {
    const read = (text: string): unknown => [...new PartReader().push(bytes(text))];
    expect(() => read("--x\r\nContent-Type: image/jpeg\r\n\r\n")).toThrow(RangeError);
    expect(() => read(`--x\r\nContent-Length: ${1e12}\r\n\r\n`)).toThrow(RangeError);
    expect(() => read("--x\r\nContent-Length: -5\r\n\r\n")).toThrow(RangeError);
    expect(() => read("y".repeat(5_000))).toThrow(RangeError);
  });
});
