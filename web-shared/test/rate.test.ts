import { describe, expect, it } from "vitest";
import { RateMeter, Samples } from "../src/rate.ts";

describe("RateMeter", () => {
  it("reads a steady stream", () => {
    const meter = new RateMeter();
    for (let ms = 0; ms < 5000; ms += 40) meter.add(1000, ms);
    expect(meter.perSecond(5000)).toBeCloseTo(25, 0);
    expect(meter.bytesPerSecond(5000)).toBeCloseTo(25_000, -3);
  });

  it("reads the same wherever it is asked", () => {
    const meter = new RateMeter();
    const readings: number[] = [];
    for (let index = 0; index < 150; index += 1) {
      meter.add(1, (index * 1000) / 30);
      if (index > 60) readings.push(meter.perSecond((index * 1000) / 30 + (index % 33)));
    }
    expect(Math.min(...readings)).toBeGreaterThan(29.9);
    expect(Math.max(...readings)).toBeLessThan(30.1);
  });

  it("falls as soon as events stop", () => {
    const meter = new RateMeter();
    for (let ms = 0; ms <= 2000; ms += 50) meter.add(1, ms);
    expect(meter.perSecond(2050)).toBeCloseTo(20, 5);
    expect(meter.perSecond(3000)).toBeLessThan(10);
  });

  it("is 0 before the first and after the last", () => {
    const meter = new RateMeter();
    expect(meter.perSecond(0)).toBe(0);
    meter.add(1, 100);
    expect(meter.perSecond(2000)).toBe(0);
  });

  it("does not exaggerate the first frames", () => {
    const meter = new RateMeter();
    meter.add(1, 0);
    meter.add(1, 1);
    expect(meter.perSecond(1)).toBeLessThanOrEqual(4);
  });

  it("starts anew after a pause", () => {
    const meter = new RateMeter();
    meter.add(1, 0);
    for (let ms = 10_000; ms <= 11_000; ms += 100) meter.add(1, ms);
    expect(meter.perSecond(11_000)).toBeCloseTo(10, 1);
  });
});

describe("Samples", () => {
  it("keeps the newest and gives percentiles", () => {
    const samples = new Samples(100);
    for (let value = 0; value <= 200; value += 1) samples.add(value);
    expect(samples.values).toHaveLength(100);
    expect(samples.percentile(0)).toBe(101);
    expect(samples.percentile(0.5)).toBe(150);
    expect(samples.percentile(0.99)).toBe(199);
    expect(samples.percentile(1)).toBe(200);
  });

  it("has none when empty", () => {
    expect(new Samples(3).percentile(0.5)).toBeUndefined();
  });
});
