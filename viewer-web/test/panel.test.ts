import { describe, expect, it } from "vitest";
import { chartsOf, extentOf, number, spoken } from "../src/panel/charts.ts";
import { History, type Sample } from "../src/panel/history.ts";
import { readServer, type Reading, type ServerReading } from "../src/panel/reading.ts";

const server = (of: Partial<ServerReading> = {}): ServerReading => ({
  version: "1", sentFrames: 0, sentBytes: 0, viewers: 2, drops: {},
  cameras: [{ id: "door", fps: 30, bytesPerSecond: 900_000, viewers: 2, drops: {} }],
  ...of,
});

function compare(before: Partial<Reading>, now: Partial<Reading>): Sample | undefined {
  const history = new History();
  const common = { server: server(), page: {} };
  history.add({ atMs: 0, ...common, ...before });
  history.add({ atMs: 1_000, ...common, ...now });
  return history.samples.at(-1);
}

describe("what the panel reads", () => {
  it("takes the server's counters, and 0 for what is not there", () => {
    const answer = {
      server: { version: "1.2", viewers: 3, drops: { late: 4, odd: "x" }, stream: { frames: 10, bytes: 1000 }, mjpeg: { frames: 5, bytes: 500 } },
      cameras: [{ id: "door", fps: 29.9, bytes_per_s: 1000, viewers: 3, drops: { late: 4 } }, "junk"],
    };
    expect(readServer(answer)).toEqual({
      version: "1.2", viewers: 3, drops: { late: 4 }, sentFrames: 15, sentBytes: 1500,
      cameras: [{ id: "door", fps: 29.9, bytesPerSecond: 1000, viewers: 3, drops: { late: 4 } }],
    });
    expect(readServer({ server: {} })).toMatchObject({ sentFrames: 0, cameras: [], drops: {} });
    for (const nothing of [undefined, {}, { server: 3 }]) expect(readServer(nothing)).toBeUndefined();
  });
});

describe("the panel's history", () => {
  it("makes figures of a second from two readings", () => {
    const sample = compare(
      { server: server({ sentFrames: 100, sentBytes: 1_000_000, drops: { late: 1 } }), page: { door: { shown: 10, skipped: 0, broken: 0, ageMs: [99], kilobytesPerSecond: 880 } } },
      {
        atMs: 2_000,
        server: server({ sentFrames: 220, sentBytes: 4_000_000, drops: { late: 5, paced: 2 } }),
        page: { door: { shown: 14, skipped: 0, broken: 0, ageMs: [99, 10, 20, 30, 400], kilobytesPerSecond: 890 } },
      },
    );
    expect(sample?.server).toEqual({ fpsIn: 30, fpsShown: 2, fpsOut: 60, ageP50: 20, ageP99: 400, kilobytesIn: 900, kilobytesShown: 890, kilobytesOut: 1500, viewers: 2, drops: { late: 2, paced: 1 } });
    expect(sample?.cameras["door"]).toMatchObject({ fpsIn: 30, fpsOut: null, fpsShown: 2, ageP50: 20 });
  });

  it("counts what came to this page and was not shown, by reason, beside what the server left out", () => {
    const page = { shown: 0, skipped: 0, broken: 0, ageMs: [], kilobytesPerSecond: 0 };
    const sample = compare({ page: { door: page, yard: page } }, {
      server: server({ drops: { behind: 2 } }),
      page: { door: { ...page, shown: 20, skipped: 9, broken: 1 }, yard: { ...page, skipped: 3 } },
    });
    expect(sample?.cameras["door"]?.drops).toEqual({ overtaken_here: 9, broken_here: 1 });
    expect(sample?.server.drops).toEqual({ behind: 2, overtaken_here: 12, broken_here: 1 });
    expect(chartsOf(sample === undefined ? [] : [sample], "door")[3]?.lines).toEqual([{ label: "Not decoded here", values: [1] }, { label: "Overtaken here by a newer one", values: [9] }]);
  });

  it("says of a restarted server, or one that is away, only what it knows", () => {
    expect(compare({ server: server({ sentFrames: 500, drops: { late: 9 } }) }, { server: server({ sentFrames: 20, drops: { late: 1 } }) })?.server).toMatchObject({ fpsOut: null, drops: {}, fpsIn: 30 });
    expect(compare({}, { server: undefined })?.server).toMatchObject({ fpsIn: null, fpsOut: null, viewers: null, fpsShown: 0 });
  });

  it("leaves a gap where it did not look for long, and keeps three minutes", () => {
    expect(compare({}, { atMs: 60_000 })?.server.fpsIn).toBeNull();
    const history = new History();
    for (let second = 0; second < 500; second += 1) history.add({ atMs: second * 1000, server: server(), page: {} });
    expect(history.samples).toHaveLength(180);
    expect(history.samples.at(-1)?.atMs).toBe(499_000);
  });
});

describe("the panel's charts", () => {
  const dropped = compare({ server: server({ drops: {} }) }, { server: server({ drops: { behind: 3 } }) }) as Sample;

  it("has lines for all cameras or for one, and one for every reason", () => {
    const all = chartsOf([dropped], undefined);
    expect(all.map(({ key, lines }) => [key, lines.length])).toEqual([["fps", 3], ["age", 2], ["bandwidth", 3], ["drops", 1]]);
    expect(all[3]?.lines[0]).toEqual({ label: "Viewer behind", values: [3] });
    expect(chartsOf([dropped], "door").map(({ lines }) => lines.length)).toEqual([2, 2, 2, 0]);
    expect(chartsOf([dropped], "nobody")[0]?.lines[0]?.values).toEqual([null]);
  });

  it("says the same in words", () => {
    const line = { label: "Shown here", values: [null, 12.34, 30, 29.96] };
    expect(extentOf(line)).toEqual({ now: "30.0", least: "12.3", most: "30.0" });
    expect(extentOf({ label: "", values: [null] })).toEqual({ now: "–", least: "–", most: "–" });
    expect([number(0), number(99.94), number(1234.5), number(null)]).toEqual(["0", "99.9", "1235", "–"]);
    expect(spoken({ key: "fps", title: "Frames a second", unit: "fps", lines: [line] })).toBe("Frames a second: Shown here 30.0 fps");
    expect(spoken({ key: "drops", title: "Dropped", unit: "fps", lines: [] })).toBe("Dropped: none");
  });
});
