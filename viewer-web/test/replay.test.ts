import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Replay, type ReplayState } from "../src/replay/replay.ts";
import { indexAt, offsetsOf, planned, readMoments, type Moment } from "../src/replay/timeline.ts";
import { beforeEnd, fileName, spoken } from "../src/replay/words.ts";

/** Ten frames a second, from number 1. */
const moments = (count: number, from = 1): Moment[] =>
  Array.from({ length: count }, (_, n) => ({ seq: from + n, capturedUs: 0, receivedUs: (from + n) * 100_000, ageMs: 0, width: 640, height: 480, bytes: 1_000 }));

describe("the timeline of a replay", () => {
  it("reads what the server lists and leaves out what is no frame", () => {
    const frame = { seq: 7, captured_us: 5, received_us: 9, age_ms: 1, width: 640, height: 480, size: 1234 };
    expect(readMoments({ camera: "door", frames: [frame, null, 3, { seq: "x" }] })).toEqual([{ seq: 7, capturedUs: 5, receivedUs: 9, ageMs: 1, width: 640, height: 480, bytes: 1234 }]);
    for (const nothing of [undefined, {}, { frames: "x" }]) expect(readMoments(nothing)).toEqual([]);
  });

  it("goes by capture where all frames know it, and never back", () => {
    const [a, b, c] = moments(3) as [Moment, Moment, Moment];
    expect(offsetsOf([a, b, c])).toEqual([0, 100, 200]);
    const captured = [{ ...a, capturedUs: 1_000 }, { ...b, capturedUs: 41_000 }, { ...c, capturedUs: 31_000 }];
    expect(offsetsOf(captured)).toEqual([0, 40, 40]);
    expect(offsetsOf([...captured, ...moments(1, 4)])).toEqual([0, 100, 200, 300]);
  });

  it("finds the frame that is due", () => {
    const offsets = [0, 100, 200, 300];
    expect([-5, 0, 99, 100, 250, 300, 9_999].map((offset) => indexAt(offsets, offset))).toEqual([0, 0, 0, 1, 2, 3, 3]);
    expect(indexAt([], 50)).toBe(0);
  });

  it("plans what comes next before what was, within the bound, and always the frame at the cursor", () => {
    expect(planned(moments(6), 3, 10_000)).toEqual([4, 5, 6, 1, 2, 3]);
    expect(planned(moments(6), 3, 4_500)).toEqual([4, 5, 6, 1]);
    expect(planned(moments(6), 5, 10)).toEqual([6]);
  });
});

describe("a replay", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  interface Setting {
    frames?: Moment[];
    gone?: (seq: number) => boolean;
    slow?: (seq: number) => number;
    fails?: (seq: number) => boolean;
  }

  function open({ frames = moments(11), gone = () => false, slow = () => 1, fails = () => false }: Setting = {}): { replay: Replay; shown: number[]; atOnce: () => number; ready: () => Extract<ReplayState, { phase: "ready" }> } {
    const shown: number[] = [];
    let [running, most] = [0, 0];
    const replay = new Replay(
      {
        list: () => Promise.resolve(frames),
        fetch: async (seq) => {
          running += 1;
          most = Math.max(most, running);
          await new Promise((resolve) => setTimeout(resolve, slow(seq)));
          running -= 1;
          if (fails(seq)) throw new Error("no network");
          return gone(seq) ? "gone" : new Blob([String(seq)]);
        },
      },
      (_, { seq }) => shown.push(seq),
    );
    void replay.start();
    const ready = (): Extract<ReplayState, { phase: "ready" }> => {
      const state = replay.state.value;
      if (state.phase !== "ready") throw new Error(state.phase);
      return state;
    };
    return { replay, shown, atOnce: () => most, ready };
  }

  it("plays every frame at real speed and stands at the newest", async () => {
    const { replay, shown, ready } = open();
    await vi.advanceTimersByTimeAsync(550);
    expect(shown).toEqual([1, 2, 3, 4, 5, 6]);
    expect(ready()).toMatchObject({ playing: true, beforeEndMs: 500 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(shown).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(ready()).toMatchObject({ playing: false, index: 10, count: 11, beforeEndMs: 0 });
    replay.toggle();
    await vi.advanceTimersByTimeAsync(150);
    expect(shown.slice(11)).toEqual([1, 2]);
  });

  it("steps frame by frame, within what there is", async () => {
    const { replay, shown, ready } = open();
    await vi.advanceTimersByTimeAsync(250);
    replay.step(1);
    replay.step(-1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(ready()).toMatchObject({ playing: false, index: 2 });
    expect(shown).toEqual([1, 2, 3, 4, 3]);
    replay.seek(-5);
    expect(ready().index).toBe(0);
    replay.seek(99);
    expect(ready().index).toBe(10);
    expect(await replay.picture()?.text()).toBe("11");
  });

  it("waits for a picture on its way and does not count that time", async () => {
    const { shown, ready } = open({ slow: (seq) => (seq === 3 ? 1_000 : 1) });
    await vi.advanceTimersByTimeAsync(900);
    expect(shown).toEqual([1, 2]);
    expect(ready()).toMatchObject({ index: 2, waiting: true, playing: true });
    await vi.advanceTimersByTimeAsync(320);
    expect(shown).toEqual([1, 2, 3, 4, 5]);
  });

  it("goes on without frames that left the cache, and says how many", async () => {
    const { shown, ready } = open({ gone: (seq) => seq <= 3 || seq === 6 });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(shown).toEqual([4, 5, 7, 8, 9, 10, 11]);
    expect(ready()).toMatchObject({ count: 7, gone: 4 });
  });

  it("keeps real time though frames behind it go", async () => {
    const { shown } = open({ gone: (seq) => seq >= 8 && seq <= 10, slow: (seq) => (seq >= 8 ? 150 : 1) });
    await vi.advanceTimersByTimeAsync(450);
    expect(shown).toEqual([1, 2, 3, 4, 5]);
    await vi.advanceTimersByTimeAsync(600);
    expect(shown).toEqual([1, 2, 3, 4, 5, 6, 7, 11]);
  });

  it("asks for three pictures at a time and holds what its bound allows", async () => {
    const frames = moments(40).map((moment) => ({ ...moment, bytes: 4 * 1024 * 1024 }));
    const { replay, atOnce, ready } = open({ frames, slow: () => 20 });
    await vi.advanceTimersByTimeAsync(200);
    replay.seek(0);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(atOnce()).toBe(3);
    // 64 MiB of pictures of 4 MiB: the seventeenth is not here.
    replay.seek(15);
    expect(ready().waiting).toBe(false);
    replay.seek(39);
    expect(ready().waiting).toBe(true);
  });

  it("keeps what is here when the server goes", async () => {
    const { replay, ready } = open({ fails: (seq) => seq > 5 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(ready()).toMatchObject({ count: 5, cutOff: true, playing: false });
    replay.seek(1);
    expect(await replay.picture()?.text()).toBe("2");
  });

  it("says so where there is nothing", async () => {
    const { replay } = open({ frames: [] });
    await vi.advanceTimersByTimeAsync(10);
    expect(replay.state.value).toEqual({ phase: "failed", reason: "The server holds no picture of this camera." });
    const vanished = open({ gone: () => true }).replay;
    await vi.advanceTimersByTimeAsync(100);
    expect(vanished.state.value).toEqual({ phase: "failed", reason: "The pictures have left the server's cache." });
  });

  it("asks for nothing more once it is closed", async () => {
    const { replay, shown } = open();
    await vi.advanceTimersByTimeAsync(150);
    replay.close();
    const before = shown.length;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(shown).toHaveLength(before);
    expect(replay.picture()).toBeUndefined();
  });
});

describe("a replay in words", () => {
  it("says where it stands and names files by time", () => {
    expect([beforeEnd(0), beforeEnd(7_340)]).toEqual(["newest", "−7.3 s"]);
    expect(spoken(7_340, 0)).toMatch(/^7\.3 seconds before the newest, \d\d:\d\d:00\.00$/);
    expect(fileName("door", 1_795_270_000_120_000)).toMatch(/^door-2026-11-21T\d\d-\d\d-\d\d\.120\.jpg$/);
  });
});
