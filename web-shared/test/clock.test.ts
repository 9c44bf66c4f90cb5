import { describe, expect, it } from "vitest";
import { ServerClock } from "../src/clock.ts";

describe("ServerClock", () => {
  /** A clock whose server is `aheadUs` ahead, fed by pings of the given leg times. */
  function withPings(aheadUs: number, pings: { out: number; back: number }[]): { clock: ServerClock; now: () => number } {
    let nowUs = 1_000_000;
    const clock = new ServerClock(() => nowUs);
    for (const { out, back } of pings) {
      const sentUs = nowUs;
      nowUs += out;
      const serverUs = nowUs + aheadUs;
      nowUs += back;
      clock.addSample(sentUs, serverUs);
    }
    return { clock, now: () => nowUs };
  }

  it("knows nothing before the first answer", () => {
    const clock = new ServerClock();
    expect(clock.nowUs()).toBeUndefined();
    expect(clock.offsetUs).toBeUndefined();
    expect(clock.roundTripMs).toBeUndefined();
  });

  it("is exact where both legs take the same time", () => {
    const { clock, now } = withPings(7_000_000, [{ out: 20_000, back: 20_000 }]);
    expect(clock.offsetUs).toBe(7_000_000);
    expect(clock.nowUs()).toBe(now() + 7_000_000);
    expect(clock.roundTripMs).toBe(40);
  });

  it("works with a server behind", () => {
    const { clock } = withPings(-3_600_000_000, [{ out: 500, back: 500 }]);
    expect(clock.offsetUs).toBe(-3_600_000_000);
  });

  it("takes the shortest round trip, not the newest", () => {
    const { clock } = withPings(1000, [{ out: 90_000, back: 10_000 }, { out: 2000, back: 2000 }, { out: 5000, back: 80_000 }]);
    expect(clock.offsetUs).toBe(1000);
  });

  it("errs by at most half the round trip", () => {
    const { clock } = withPings(0, [{ out: 30_000, back: 2000 }]);
    expect(Math.abs(clock.offsetUs ?? Infinity)).toBeLessThanOrEqual(16_000);
  });

  it("forgets a sample after eight newer ones, so that it follows a drifting clock", () => {
    const slow = Array.from({ length: 8 }, () => ({ out: 6000, back: 4000 }));
    const { clock } = withPings(0, [{ out: 100, back: 100 }, ...slow.slice(1)]);
    expect(clock.offsetUs).toBe(0);
    const later = withPings(0, [{ out: 100, back: 100 }, ...slow]);
    expect(later.clock.offsetUs).toBe(1000);
    expect(later.clock.roundTripMs).toBe(10);
  });

  it("ignores answers that cannot be", () => {
    const clock = new ServerClock(() => 100);
    clock.addSample(200, 5);
    clock.addSample(Number.NaN, 5);
    clock.addSample(50, Number.NaN);
    expect(clock.offsetUs).toBeUndefined();
  });

  it("forgets all on reset", () => {
    const { clock } = withPings(10, [{ out: 1, back: 1 }]);
    clock.reset();
    expect(clock.nowUs()).toBeUndefined();
  });
});
