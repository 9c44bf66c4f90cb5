import { expect, test } from "vitest";
import { smoothWidth } from "../src/smooth-width.ts";

test("a small picture is asked for as wide as it takes to have all its frames", () => {
  expect(smoothWidth(311, undefined)).toBe(480);
  expect(smoothWidth(311, 15)).toBe(480);
  expect(smoothWidth(800, undefined)).toBe(800);
});

test("who wants few frames gets the thumbnail", () => {
  expect(smoothWidth(311, 10)).toBe(311);
});
