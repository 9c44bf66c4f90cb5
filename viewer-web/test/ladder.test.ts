import { describe, expect, it } from "vitest";
import { FEED_KINDS, Ladder } from "../src/feed/ladder.ts";

describe("Ladder", () => {
  it("begins at the top, and stays there while connections are only lost", () => {
    const ladder = new Ladder("auto");
    expect(ladder.first).toBe("ws");
    for (let i = 0; i < 9; i += 1) expect(ladder.after("ws", "lost")).toBe("ws");
  });

  it("steps down after three closed doors, and counts anew once one was open", () => {
    const ladder = new Ladder("auto");
    expect([ladder.after("ws", "refused"), ladder.after("ws", "refused")]).toEqual(["ws", "ws"]);
    ladder.up("ws");
    expect([ladder.after("ws", "refused"), ladder.after("ws", "refused"), ladder.after("ws", "refused")]).toEqual(["ws", "ws", "mjpeg"]);
  });

  it("does not try MJPEG again where it was held back", () => {
    const ladder = new Ladder("auto");
    expect(ladder.after("mjpeg", "stalled")).toBe("rest");
    for (let i = 0; i < 2; i += 1) ladder.after("ws", "refused");
    expect(ladder.after("ws", "refused")).toBe("rest");
  });

  it("goes back to the top when a server that could be reached is lost", () => {
    const ladder = new Ladder("auto");
    expect([ladder.after("mjpeg", "lost"), ladder.after("rest", "lost"), ladder.after("rest", "refused")]).toEqual(["ws", "ws", "ws"]);
  });

  it("climbs only from below, and only by itself", () => {
    expect([new Ladder("auto").climb("ws"), new Ladder("auto").climb("rest")?.kind, new Ladder("rest").climb("rest")]).toEqual([undefined, "ws", undefined]);
  });

  it("keeps to what was asked for", () => {
    for (const kind of FEED_KINDS) {
      const ladder = new Ladder(kind);
      expect([ladder.first, ladder.after(kind, "lost"), ladder.after(kind, "refused")]).toEqual([kind, kind, kind]);
    }
  });

  it("polls where MJPEG was asked for and brings nothing", () => {
    const ladder = new Ladder("mjpeg");
    expect([ladder.first, ladder.after("mjpeg", "stalled"), ladder.after("rest", "lost"), ladder.first]).toEqual(["mjpeg", "rest", "rest", "rest"]);
    expect(ladder.climb("rest")).toEqual({ kind: "mjpeg", afterMs: 20_000 });
    for (let stalls = 0; stalls < 9; stalls += 1) ladder.after("mjpeg", "stalled");
    expect([ladder.climb("rest")?.afterMs, ladder.climb("mjpeg")]).toEqual([300_000, undefined]);
    ladder.up("mjpeg");
    expect(ladder.after("mjpeg", "lost")).toBe("mjpeg");
  });

  it("does not go back to MJPEG in a browser that cannot", () => {
    const ladder = new Ladder("mjpeg");
    expect([ladder.after("mjpeg", "unable"), ladder.climb("rest"), ladder.after("rest", "lost")]).toEqual(["rest", undefined, "rest"]);
    expect(new Ladder("auto").after("mjpeg", "unable")).toBe("rest");
  });
});
