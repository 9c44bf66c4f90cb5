import { describe, expect, it } from "vitest";
import { Backoff } from "../src/backoff.ts";

describe("Backoff", () => {
  const bounds = (random: () => number): number[] => {
    const backoff = new Backoff({ firstMs: 500, maxMs: 10_000, random });
    return Array.from({ length: 7 }, () => backoff.next());
  };

  it("doubles its bound up to the most", () => {
    expect(bounds(() => 1)).toEqual([500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  });

  it("waits at least half of the bound", () => {
    expect(bounds(() => 0)).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000]);
  });

  it("draws differently for different pages", () => {
    const waits = new Set(Array.from({ length: 50 }, () => new Backoff().next()));
    expect(waits.size).toBeGreaterThan(10);
  });

  it("starts over only after a steady connection", () => {
    const backoff = new Backoff({ firstMs: 100, steadyMs: 5000, random: () => 1 });
    backoff.next();
    backoff.next();
    backoff.lived(4999);
    expect(backoff.next()).toBe(400);
    backoff.lived(5000);
    expect(backoff.attempts).toBe(0);
    expect(backoff.next()).toBe(100);
  });

  it("stays finite after very many attempts", () => {
    const backoff = new Backoff({ maxMs: 3000, random: () => 1 });
    for (let i = 0; i < 5000; i += 1) backoff.next();
    expect(backoff.next()).toBe(3000);
  });
});
