import { describe, expect, it } from "vitest";
import type { EncoderSettings } from "../src/media/encoded.ts";
import type { Feedback } from "../src/publish/session.ts";
import { QualityControl, type Second } from "../src/quality/control.ts";
import { ladder } from "../src/quality/ladder.ts";
import { SecondMeter } from "../src/quality/second-meter.ts";

const WANTED: EncoderSettings = { fps: 30, quality: 0.7, width: 1280, height: 720 };
const GOOD: Second = { tried: 30, skipped: 0, waiting: 0, arrived: 30, lost: 0, ageMs: 20, encodeMs: 8 };

describe("ladder", () => {
  it("begins with what is wanted, then lowers quality, then size, then frame rate", () => {
    const steps = ladder(WANTED);
    expect(steps[0]).toEqual(WANTED);
    expect(steps.map(({ quality }) => quality).slice(0, 4)).toEqual([0.7, 0.6, 0.5, 0.4]);
    const smaller = steps.findIndex(({ width }) => width < WANTED.width);
    const slower = steps.findIndex(({ fps }) => fps < WANTED.fps);
    expect([smaller, slower]).toEqual([4, 8]);
    expect(steps.at(-1)).toEqual({ quality: 0.4, width: 320, height: 180, fps: 5 });
  });

  it.each([
    { fps: 30, quality: 0.7, width: 640, height: 480 },
    { fps: 1, quality: 0.05, width: 16, height: 16 },
    { fps: 29.97, quality: 1, width: 3840, height: 2160 },
    { fps: 2, quality: 0.45, width: 240, height: 320 },
  ])("never asks for more than the step before, and each step for less: %o", (wanted) => {
    const steps = ladder(wanted);
    for (const [index, step] of steps.slice(1).entries()) {
      const before = steps[index] ?? wanted;
      const less = [step.fps < before.fps, step.quality < before.quality, step.width < before.width];
      expect(less.filter(Boolean)).toHaveLength(1);
      expect(step.fps).toBeGreaterThanOrEqual(1);
      expect(step.quality).toBeGreaterThanOrEqual(Math.min(0.4, wanted.quality));
    }
  });
});

/** A camera's bytes for one picture: bigger with quality and pixels, as measured roughly. */
function bytesOf({ quality, width, height }: EncoderSettings): number {
  return width * height * (0.03 + 0.12 * quality ** 2);
}

/** One second of a link that carries so many bytes a second. What does not fit is left out by the page. */
function over(capacity: number, settings: EncoderSettings, some: Partial<Second> = {}): Second {
  const tried = Math.round(settings.fps);
  const fits = Math.min(tried, Math.floor(capacity / bytesOf(settings)));
  const full = (bytesOf(settings) * tried) / capacity;
  return { ...GOOD, tried, skipped: tried - fits, arrived: fits, waiting: full > 1 ? 1 : full > 0.9 ? 0.6 : 0.05, ...some };
}

/** Runs the control over a link; answers its level after each second. */
function run(control: QualityControl, seconds: number, second: (settings: EncoderSettings, index: number) => Second): number[] {
  return Array.from({ length: seconds }, (_, index) => {
    control.second(second(control.settings, index));
    return control.level;
  });
}

const changes = (levels: number[]): number => levels.filter((level, index) => index > 0 && level !== levels[index - 1]).length;

describe("QualityControl", () => {
  it("leaves all as wanted while all goes well", () => {
    const control = new QualityControl(WANTED);
    expect(Math.max(...run(control, 600, () => GOOD))).toBe(0);
    expect(control.settings).toEqual(WANTED);
    expect(control.reason).toBeUndefined();
  });

  it("finds what a narrow link carries within ten seconds, and sends near to that nearly all the time", () => {
    for (const capacity of [1_500_000, 700_000, 300_000, 100_000]) {
      const control = new QualityControl(WANTED);
      run(control, 10, (settings) => over(capacity, settings));
      const shares: number[] = [];
      run(control, 100, (settings) => {
        shares.push((bytesOf(settings) * settings.fps) / capacity);
        return over(capacity, settings);
      });
      const fitting = shares.filter((share) => share <= 1 && share > 0.4);
      expect(fitting.length, `seconds of ${capacity} bytes a second`).toBeGreaterThan(80);
      expect(control.reason).toBe("network");
    }
  });

  it("does not swing around on a steady narrow link", () => {
    for (const capacity of [1_700_000, 1_300_000, 900_000, 500_000, 200_000]) {
      const levels = run(new QualityControl(WANTED), 600, (settings) => over(capacity, settings));
      // After the first minutes: at most one try a minute, up and down again.
      expect(changes(levels.slice(300))).toBeLessThanOrEqual(2 * 6);
    }
  });

  it("comes back step by step when the link is wide again, not all at once", () => {
    const control = new QualityControl(WANTED);
    run(control, 60, (settings) => over(300_000, settings));
    const low = control.level;
    expect(low).toBeGreaterThan(3);
    const levels = run(control, 180, (settings) => over(50_000_000, settings));
    expect(levels.at(-1)).toBe(0);
    for (const [index, level] of levels.entries()) expect(level).toBeGreaterThanOrEqual((levels[index - 1] ?? low) - 1);
    // Never two steps within five seconds.
    const at = levels.flatMap((level, index) => (index > 0 && level !== levels[index - 1] ? [index] : []));
    for (const [index, second] of at.entries()) if (index > 0) expect(second - (at[index - 1] ?? 0)).toBeGreaterThanOrEqual(5);
  });

  it("forgives one bad second, and not two", () => {
    const late = { ...GOOD, skipped: 6 };
    const control = new QualityControl(WANTED);
    expect(run(control, 20, (_, index) => (index % 4 === 0 ? late : GOOD))).toEqual(Array(20).fill(0));
    expect(run(control, 2, () => late).at(-1)).toBe(1);
  });

  it("goes down at once when hardly anything gets through", () => {
    const control = new QualityControl(WANTED);
    control.second({ ...GOOD, skipped: 25 });
    expect(control.level).toBe(2);
  });

  it.each([
    ["lost pictures", { lost: 4 }, "loss"],
    ["pictures that get old on the way", { ageMs: 400 }, "network"],
    ["a queue in the browser", { waiting: 1.5 }, "network"],
    ["an encoder that cannot keep up", { encodeMs: 40 }, "encoder"],
  ] as const)("gives way to %s", (_, some, reason) => {
    const control = new QualityControl(WANTED);
    run(control, 3, () => GOOD);
    run(control, 2, () => ({ ...GOOD, ...some }));
    expect([control.level, control.reason]).toEqual([1, reason]);
  });

  it("takes the time of a long link for its own", () => {
    expect(Math.max(...run(new QualityControl(WANTED), 60, () => ({ ...GOOD, ageMs: 600 })))).toBe(0);
  });

  it("learns that the link has become longer, and tries all again", () => {
    const control = new QualityControl(WANTED);
    const levels = run(control, 900, (_, index) => ({ ...GOOD, ageMs: index < 10 ? 20 : 300 }));
    expect(Math.max(...levels)).toBeGreaterThan(0);
    expect(levels.at(-1)).toBe(0);
  });

  it("says nothing of a second without pictures", () => {
    const control = new QualityControl(WANTED);
    expect(control.second({ ...GOOD, tried: 0, arrived: 0 })).toBe(false);
  });

  it("comes back, more slowly, on a link that is never quite good", () => {
    const control = new QualityControl(WANTED);
    run(control, 2, () => ({ ...GOOD, skipped: 6 }));
    const levels = run(control, 60, () => ({ ...GOOD, waiting: 0.6 }));
    expect([levels[8], levels.at(-1)]).toEqual([1, 0]);
  });

  it("is not misled by one picture at a low rate", () => {
    const slow = { ...WANTED, fps: 2 };
    expect(Math.max(...run(new QualityControl(slow), 60, (_, index) => ({ ...GOOD, tried: 2, skipped: index % 2, arrived: 2 - (index % 2) })))).toBe(0);
  });

  it("keeps its step when something else is wanted, within the new bounds", () => {
    const control = new QualityControl(WANTED);
    run(control, 30, (settings) => over(100_000, settings));
    control.want({ ...WANTED, width: 320, height: 240, fps: 2 });
    expect(control.level).toBeLessThan(control.steps);
    expect(control.settings.width).toBeLessThanOrEqual(320);
    expect(control.wanted.fps).toBe(2);
  });

  it("follows a link that falters each half a minute without giving up on it", () => {
    const levels = run(new QualityControl(WANTED), 600, (_, index) => (index % 30 < 2 ? { ...GOOD, skipped: 8, waiting: 1.2 } : GOOD));
    expect(levels.filter((level) => level === 0).length).toBeGreaterThan(levels.length / 2);
  });
});

describe("SecondMeter", () => {
  const feedback = (some: Partial<Feedback>): Feedback => ({ received: 0, receivedFps: 0, lost: 0, refused: 0, duplicates: 0, ageMs: undefined, ...some });

  it("turns totals into what one second was like", () => {
    const meter = new SecondMeter();
    expect(meter.report(feedback({ received: 5 }), { sentFrames: 5, sentBytes: 50_000, skippedFrames: 0 })).toBeUndefined();
    meter.picture(4, 0);
    meter.picture(8, 10_000);
    expect(meter.report(feedback({ received: 20, duplicates: 9, lost: 1, ageMs: 30 }), { sentFrames: 30, sentBytes: 300_000, skippedFrames: 5 })).toEqual({
      tried: 30, skipped: 5, waiting: 0.5, arrived: 24, lost: 1, ageMs: 30, encodeMs: 6,
    });
  });

  it("begins anew with a connection", () => {
    const meter = new SecondMeter();
    meter.report(feedback({ received: 500 }), { sentFrames: 500, sentBytes: 1, skippedFrames: 0 });
    meter.reset();
    expect(meter.report(feedback({ received: 1 }), { sentFrames: 501, sentBytes: 2, skippedFrames: 0 })).toBeUndefined();
  });
});
