import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ServerClock } from "@framecast/shared/clock";
import type { EncodedFrame } from "../src/media/encoded.ts";
import type { Transport } from "../src/options.ts";
import { BURST_BYTES, frameMessages, payloadLimit } from "../src/publish/outgoing.ts";
import { Progress, type Totals } from "../src/publish/progress.ts";
import { Publisher } from "../src/publish/publisher.ts";
import { FlightWindow, SendBudget } from "../src/publish/send-budget.ts";
import { NoSuchPath, type Path, type Session, type SessionEvents } from "../src/publish/session.ts";
import { PublishStats } from "../src/publish/stats.ts";

const nowUs = (): number => (performance.timeOrigin + performance.now()) * 1000;
const frame = (bytes = 1000, capturedUs = nowUs()): EncodedFrame => ({ jpeg: new Uint8Array(bytes), capturedUs, width: 4, height: 4, encodeMs: 3 });

describe("SendBudget", () => {
  it("lets a frame go while at most one waits", () => {
    const budget = new SendBudget();
    expect(budget.allows(0, 0)).toBe(true);
    budget.sent([new Uint8Array(30_000), new Uint8Array(10_000)], 0);
    expect(budget.allows(40_000, 33)).toBe(true);
    expect(budget.allows(40_001, 33)).toBe(false);
    budget.sent([new Uint8Array(10_000)], 33);
    expect(budget.allows(40_000, 10_000)).toBe(false);
  });

  it("lets nothing wait before the first frame", () => {
    expect(new SendBudget(150).allows(1, 1_000)).toBe(false);
  });

  it("sends again once what waits has lived its time, for the browser frees it only then", () => {
    const budget = new SendBudget(150);
    budget.sent([new Uint8Array(10_000)], 1_000);
    expect(budget.allows(20_000, 1_149)).toBe(false);
    expect(budget.allows(20_000, 1_150)).toBe(true);
    budget.sent([new Uint8Array(10_000)], 1_150);
    expect(budget.allows(20_000, 1_151)).toBe(false);
  });
});

describe("FlightWindow", () => {
  /** A link that carries one frame each `frameMs`, with a delay beside; 30 frames a second are offered. */
  function drive(frameMs: number, delay: number | ((nowMs: number) => number), seconds: number): { sent: number; window: number; worstMs: number } {
    const flights = new FlightWindow();
    const landings: { id: number; sentMs: number; atMs: number }[] = [];
    let freeMs = 0;
    let sent = 0;
    let worstMs = 0;
    for (let index = 0; index < seconds * 30; index += 1) {
      const nowMs = (index * 1000) / 30;
      while (landings[0] !== undefined && landings[0].atMs <= nowMs) {
        const landed = landings.shift();
        if (landed === undefined) break;
        flights.landed(landed.id, landed.atMs);
        // The last third: after it has found its size.
        if (index > seconds * 20) worstMs = Math.max(worstMs, landed.atMs - landed.sentMs);
      }
      if (!flights.allows()) continue;
      sent += 1;
      flights.sent(index, nowMs);
      freeMs = Math.max(freeMs, nowMs) + frameMs;
      landings.push({ id: index, sentMs: nowMs, atMs: freeMs + (typeof delay === "number" ? delay : delay(nowMs)) });
    }
    return { sent, window: flights.window, worstMs };
  }

  it("does not hold a fast link back", () => {
    expect(drive(1, 5, 20).sent).toBe(600);
  });

  it("fills a long but wide link", () => {
    expect(drive(1, 300, 20).sent).toBeGreaterThan(540);
  });

  it("lets no queue grow on a narrow link, and uses it", () => {
    const { sent, worstMs } = drive(100, 20, 60);
    expect(worstMs).toBeLessThan(350);
    expect(sent).toBeGreaterThan(60 * 10 * 0.7);
  });

  it("learns that a link has become longer", () => {
    const { sent } = drive(1, (nowMs) => (nowMs < 10_000 ? 10 : 250), 60);
    expect(sent).toBeGreaterThan(0.85 * 60 * 30);
  });

  it("always lets one through in the end", () => {
    const flights = new FlightWindow();
    for (let id = 0; id < 50; id += 1) {
      expect(flights.allows()).toBe(true);
      flights.sent(id, id * 10_000);
      flights.landed(id, id * 10_000 + 9000 * (id % 2));
    }
  });
});

describe("Progress", () => {
  const totals = (some: Partial<Totals> = {}): Totals => ({ received: 0, duplicates: 0, refused: 0, ...some });

  it("calls a path dead after four reports without anything new", () => {
    const progress = new Progress();
    expect(progress.report(totals(), 0)).toBe(false);
    expect([1, 2, 3, 4].map((second) => progress.report(totals(), second * 30))).toEqual([false, false, false, true]);
  });

  it("forgives a path that carries again, and silence while nothing was to be sent", () => {
    const progress = new Progress();
    expect([[5, 10], [5, 20], [5, 30], [6, 40], [6, 50], [6, 50], [6, 50], [6, 50], [6, 50]].map(([got, sent]) => progress.report(totals({ received: got ?? 0 }), sent ?? 0))).not.toContain(true);
  });

  it.each(["received", "duplicates", "refused"] as const)("takes frames that the server counts as %s for carried", (count) => {
    const progress = new Progress();
    const reports = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((second) => progress.report(totals({ [count]: second * 30 }), second * 30));
    expect(reports).not.toContain(true);
    // And it still notices when that ends.
    expect([9, 10, 11, 12].map((second) => progress.report(totals({ [count]: 240 }), second * 30))).toEqual([false, false, false, true]);
  });
});

describe("outgoing", () => {
  it("keeps a part and its header within the largest message", () => {
    expect(payloadLimit(65_536)).toBe(65_508);
    expect(payloadLimit(Infinity)).toBe(262_116);
  });

  it("cuts a frame into messages of at most four packets of a data channel", () => {
    const messages = frameMessages(frame(41_000), 1n, new ServerClock(), payloadLimit(BURST_BYTES));
    expect(messages).toHaveLength(9);
    // 1160 bytes of each of Chromium's packets are the message's.
    for (const message of messages) expect(message.byteLength).toBeLessThanOrEqual(4 * 1160);
  });

  it("cuts a frame that is too large for so many small messages into larger ones", () => {
    const messages = frameMessages(frame(8_000_000), 1n, new ServerClock(), payloadLimit(BURST_BYTES));
    expect(messages.length).toBeLessThanOrEqual(1024);
    for (const message of messages) expect(message.byteLength).toBeLessThanOrEqual(262_144);
  });

  it("sends capture times on the server's clock, and 0 while it is unknown", () => {
    const clock = new ServerClock(() => 5_000_000);
    const sentTime = (): bigint => new DataView(frameMessages(frame(10, 4_990_000), 1n, clock, 1000)[0]?.buffer ?? new ArrayBuffer(0)).getBigUint64(20, true);
    expect(sentTime()).toBe(0n);
    clock.addSample(5_000_000, 8_000_000);
    expect(sentTime()).toBe(7_990_000n);
  });
});

class FakeSession implements Session {
  readonly reachedMs = 0;
  readonly steps = { signaling: "open", ice: undefined, channel: undefined } as const;
  readonly bufferedBytes = 0;
  closed = false;
  accepts = true;
  readonly sent: { frame: EncodedFrame; seq: bigint }[] = [];

  constructor(readonly path: Path, readonly events: SessionEvents) {}

  send(sent: EncodedFrame, seq: bigint): boolean {
    if (this.accepts) this.sent.push({ frame: sent, seq });
    return this.accepts;
  }

  close(): void {
    this.closed = true;
  }
}

describe("Publisher", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  function publish(transport: Transport = "auto"): { publisher: Publisher; sessions: FakeSession[]; stats: PublishStats; newest: () => FakeSession } {
    const sessions: FakeSession[] = [];
    const stats = new PublishStats();
    const publisher = new Publisher(transport, stats, new ServerClock(), (path, events) => {
      const session = new FakeSession(path, events);
      sessions.push(session);
      return session;
    });
    publisher.start();
    const newest = (): FakeSession => {
      const session = sessions.at(-1);
      if (session === undefined) throw new Error("no session");
      return session;
    };
    return { publisher, sessions, stats, newest };
  }

  it("goes through its states", () => {
    const { publisher, newest } = publish();
    expect(publisher.state.value).toEqual({ phase: "signaling", path: "webrtc" });
    newest().events.onReached();
    expect(publisher.state.value).toEqual({ phase: "connecting", path: "webrtc" });
    newest().events.onOpen();
    expect(publisher.state.value).toMatchObject({ phase: "live", path: "webrtc" });
    publisher.stop();
    expect(publisher.state.value).toEqual({ phase: "idle" });
    expect(newest().closed).toBe(true);
  });

  it("numbers what it sends, and only that", () => {
    const { publisher, newest, stats } = publish();
    newest().events.onOpen();
    publisher.offer(frame());
    newest().accepts = false;
    publisher.offer(frame());
    newest().accepts = true;
    publisher.offer(frame());
    expect(newest().sent.map(({ seq }) => seq)).toEqual([1n, 2n]);
    expect([stats.sentFrames, stats.skippedFrames]).toEqual([2, 1]);
  });

  it("sends the newest picture the moment the path opens, unless it is stale", () => {
    const { publisher, newest } = publish();
    publisher.offer(frame(1));
    publisher.offer(frame(2));
    newest().events.onOpen();
    expect(newest().sent.map((sent) => sent.frame.jpeg.length)).toEqual([2]);

    const late = publish();
    late.publisher.offer(frame(1, nowUs() - 200_000));
    late.newest().events.onOpen();
    expect(late.newest().sent).toEqual([]);
  });

  it("falls back to the WebSocket at once, and tries WebRTC again at the next reconnect", () => {
    const { publisher, sessions, newest } = publish();
    newest().events.onReached();
    newest().events.onEnd({ kind: "no-channel", message: "blocked" });
    expect(sessions.map((session) => session.path)).toEqual(["webrtc", "websocket"]);
    newest().events.onOpen();
    expect(publisher.state.value).toEqual({ phase: "live", path: "websocket", note: "blocked" });
    newest().events.onEnd({ kind: "lost", message: "gone" });
    expect(publisher.state.value).toMatchObject({ phase: "reconnecting", reason: "gone" });
    expect(publisher.wantsFrames).toBe(false);
    vi.advanceTimersByTime(600);
    expect(newest().path).toBe("webrtc");
  });

  it("does not fall back where WebRTC was asked for", () => {
    const { publisher, sessions, newest } = publish("webrtc");
    newest().events.onEnd({ kind: "no-channel", message: "blocked" });
    expect(publisher.state.value.phase).toBe("reconnecting");
    vi.advanceTimersByTime(600);
    expect(sessions.map((session) => session.path)).toEqual(["webrtc", "webrtc"]);
  });

  it("takes the WebSocket at once in a browser without WebRTC, and says so", () => {
    const tried: FakeSession[] = [];
    const open = (path: Path, events: SessionEvents): Session => {
      if (path === "webrtc") throw new NoSuchPath("no WebRTC");
      const session = new FakeSession(path, events);
      tried.push(session);
      return session;
    };
    const publisher = new Publisher("auto", new PublishStats(), new ServerClock(), open);
    publisher.start();
    tried[0]?.events.onOpen();
    expect(publisher.state.value).toEqual({ phase: "live", path: "websocket", note: "no WebRTC" });
    publisher.offer(frame());
    expect(tried[0]?.sent).toHaveLength(1);

    const forced = new Publisher("webrtc", new PublishStats(), new ServerClock(), open);
    forced.start();
    expect(forced.state.value).toEqual({ phase: "refused", reason: "no WebRTC" });
    expect(tried).toHaveLength(1);
  });

  it("never comes back after being replaced or refused", () => {
    for (const kind of ["replaced", "refused"] as const) {
      const { publisher, sessions, newest } = publish();
      newest().events.onOpen();
      newest().events.onEnd({ kind, message: "no" });
      vi.advanceTimersByTime(3_600_000);
      expect(publisher.state.value).toEqual({ phase: kind, reason: "no" });
      expect(sessions).toHaveLength(1);
    }
  });

  it("waits longer and longer while the server is away", () => {
    const { publisher, sessions, newest } = publish();
    for (let minute = 0; minute < 5 * 60; minute += 1) {
      if (publisher.state.value.phase === "signaling") newest().events.onEnd({ kind: "lost", message: "away" });
      vi.advanceTimersByTime(1000);
    }
    expect(sessions.length).toBeGreaterThan(25);
    expect(sessions.length).toBeLessThan(70);
  });

  it("stops waiting when told to stop or to hurry", () => {
    const { publisher, sessions, newest } = publish();
    newest().events.onEnd({ kind: "lost", message: "away" });
    publisher.hurry();
    expect(sessions).toHaveLength(2);
    newest().events.onEnd({ kind: "lost", message: "away" });
    publisher.stop();
    vi.advanceTimersByTime(60_000);
    expect(sessions).toHaveLength(2);
  });

  it("shows a complaint until a second passes without one", () => {
    const { publisher, newest } = publish();
    const feedback = { received: 1, receivedFps: 1, lost: 0, refused: 0, duplicates: 0, ageMs: undefined };
    newest().events.onComplaint("not a JPEG");
    newest().events.onFeedback({ ...feedback, refused: 1 });
    expect(publisher.complaint.value).toBe("not a JPEG");
    newest().events.onFeedback({ ...feedback, refused: 1 });
    expect(publisher.complaint.value).toBeUndefined();
  });
});
