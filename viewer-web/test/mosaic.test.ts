import { describe, expect, it } from "vitest";
import { gridFor } from "../src/mosaic/layout.ts";
import { arrange, matches, moved } from "../src/mosaic/order.ts";
import { snapshotName } from "../src/ui/actions.ts";
import { deedOf, stepped } from "../src/ui/keys.ts";

describe("a layout", () => {
  it.each([
    [1, { columns: 1, rows: 1 }],
    [2, { columns: 2, rows: 1 }],
    [4, { columns: 2, rows: 2 }],
    [9, { columns: 3, rows: 3 }],
    [16, { columns: 6, rows: 3 }],
    [200, { columns: 6, rows: 3 }],
  ])("of its own choice fits %i cameras to a laptop", (cameras, grid) => {
    expect(gridFor("auto", cameras, 1416, 832)).toEqual(grid);
  });

  it("puts few cameras one under the other on a phone, and scrolls through many", () => {
    expect(gridFor("auto", 2, 366, 700)).toEqual({ columns: 1, rows: 2 });
    expect(gridFor("auto", 16, 366, 700)).toEqual({ columns: 2, rows: 0 });
  });

  it("has a picture in each window, however narrow", () => {
    expect(gridFor("auto", 9, 100, 50).columns).toBe(1);
    expect(gridFor("auto", 0, 0, 0).columns).toBe(1);
  });

  it.each([["1", 1], ["4", 2], ["9", 3], ["16", 4]] as const)("of %s is square", (layout, side) => {
    expect(gridFor(layout, 100, 366, 700)).toEqual({ columns: side, rows: side });
  });
});

describe("the order", () => {
  const items = ["a", "b", "c", "d"].map((id) => ({ id }));
  const ids = (order: string[]): string => arrange(items, order).map(({ id }) => id).join("");

  it("is the remembered one, with new cameras behind", () => {
    expect([ids([]), ids(["c", "a"]), ids(["gone", "d"])]).toEqual(["abcd", "cabd", "dabc"]);
  });

  it("follows a camera that is put where another is, forward or back", () => {
    expect(moved([], ["a", "b", "c", "d"], "a", "c").join("")).toBe("bcad");
    expect(moved([], ["a", "b", "c", "d"], "d", "b").join("")).toBe("adbc");
  });

  it("keeps the places of cameras that are not there now", () => {
    expect(moved(["x", "a", "b"], ["a", "b"], "b", "a")).toEqual(["b", "a", "x"]);
  });

  it("stays where there is nothing to move", () => {
    expect(moved(["b"], ["a", "b"], "a", "a")).toEqual(["b"]);
    expect(moved(["b"], ["a", "b"], "a", "gone")).toEqual(["b"]);
  });
});

describe("the filter", () => {
  it.each([
    ["", true],
    ["front", true],
    ["DOOR fr", true],
    ["cam-1", true],
    ["yard", false],
    ["front yard", false],
  ])("%j", (filter, found) => {
    expect(matches(filter, "cam-1", "Front door")).toBe(found);
  });
});

describe("keys", () => {
  const key = (name: string, held: Partial<KeyboardEvent> = {}) => deedOf({ key: name, altKey: false, ctrlKey: false, metaKey: false, shiftKey: false, ...held });

  it("mean what the help says", () => {
    expect(key("ArrowLeft")).toEqual({ do: "step", step: "left" });
    expect(key("ArrowUp", { shiftKey: true })).toEqual({ do: "move", step: "up" });
    expect(key("3")).toEqual({ do: "layout", layout: "9" });
    expect(key("?", { shiftKey: true })).toEqual({ do: "help" });
    expect(["Escape", "f", "p", "s", "/"].map((name) => key(name)?.do)).toEqual(["back", "fullscreen", "float", "snapshot", "filter"]);
  });

  it("leave the browser's own alone", () => {
    expect([key("f", { ctrlKey: true }), key("ArrowLeft", { altKey: true }), key("s", { metaKey: true }), key("x")]).toEqual([undefined, undefined, undefined, undefined]);
  });

  it("step within the grid", () => {
    expect([stepped(0, "right", 9, 3), stepped(0, "down", 9, 3), stepped(8, "down", 9, 3), stepped(0, "left", 9, 3), stepped(4, "up", 5, 3)]).toEqual([1, 3, 8, 0, 1]);
  });
});

describe("a saved picture", () => {
  it("is named after its camera and time", () => {
    expect(snapshotName("door", new Date(2026, 0, 2, 3, 4, 5))).toBe("door-2026-01-02-03-04-05.jpg");
  });
});
