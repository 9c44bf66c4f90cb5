import { describe, expect, it } from "vitest";
import { PartReader, type Part } from "../src/feed/multipart.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const shown = (parts: Part[]): string[] => parts.map(({ headers, body }) => `${headers.get("x-framecast-seq") ?? "-"} ${new TextDecoder().decode(body)}`);

const ANSWER = "--framecast\r\nContent-Type: image/jpeg\r\nContent-Length: 5\r\nX-Framecast-Seq: 7\r\n\r\nhello\r\n--framecast\r\nContent-Length: 3\r\n\r\na\r\n\r\n--framecast\r\n";

describe("PartReader", () => {
  it("reads parts wherever the bytes are cut", () => {
    for (let cut = 1; cut <= ANSWER.length; cut += 1) {
      const reader = new PartReader();
      const parts: Part[] = [];
      for (let at = 0; at < ANSWER.length; at += cut) parts.push(...reader.push(bytes(ANSWER.slice(at, at + cut))));
      expect(shown(parts), `cut every ${cut}`).toEqual(["7 hello", "- a\r\n"]);
    }
  });

  it.each([
    ["no length", "--b\r\nContent-Type: image/jpeg\r\n\r\n"],
    ["no number", "--b\r\nContent-Length: many\r\n\r\n"],
    ["more than any picture", "--b\r\nContent-Length: 99999999999\r\n\r\n"],
    ["a header without end", "x".repeat(5000)],
  ])("refuses %s", (_, text) => {
    expect(() => new PartReader().push(bytes(text))).toThrow();
  });
});
