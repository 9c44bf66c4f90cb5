import { describe, expect, it } from "vitest";
import { Releases } from "../src/releases.ts";

describe("Releases", () => {
  it("runs each once, the newest first", () => {
    const order: number[] = [];
    const releases = new Releases();
    releases.add(() => order.push(1));
    releases.add(() => order.push(2));
    releases.close();
    releases.close();
    expect(order).toEqual([2, 1]);
  });

  it("releases at once what comes too late", () => {
    const releases = new Releases();
    releases.close();
    let released = false;
    releases.add(() => (released = true));
    expect(released).toBe(true);
  });

  it("takes listeners away", () => {
    const target = new EventTarget();
    let heard = 0;
    const releases = new Releases();
    releases.listen(target, "x", () => (heard += 1));
    target.dispatchEvent(new Event("x"));
    releases.close();
    target.dispatchEvent(new Event("x"));
    expect(heard).toBe(1);
  });
});
