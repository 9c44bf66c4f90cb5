import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ServerClock } from "@framecast/shared/clock";
import { MjpegSource } from "../src/source/mjpeg.ts";
import { PollingSource } from "../src/source/polling.ts";
import type { Presence } from "../src/source/source.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status });
const error = (status: number, code: string): Response => json({ error: { code, message: `${code} it is` } }, status);

/** A server with one camera, of which each answer is in the test's hand. */
class FakeServer {
  camera: Record<string, unknown> | undefined = { name: "Door", online: false, reason: "connecting", source: { type: "rtsp" }, seq: 0 };
  link: Record<string, unknown> = { state: "connecting", last_error: null };
  /** Nothing is answered any more. */
  isDead = false;
  asked = 0;
  /** The stored picture, and how often its header was asked for. */
  still: Response | undefined;
  heads = 0;
  /** Requests without an answer. */
  readonly open = new Set<string>();
  streams = 0;
  answer: ((response: Response) => void) | undefined;
  body: ReadableStreamDefaultController<Uint8Array> | undefined;

  readonly fetch = (url: URL, { signal, method }: RequestInit): Promise<Response> =>
    new Promise((resolve, reject) => {
      const request = `${String((this.asked += 1))} ${url.pathname}`;
      this.open.add(request);
      const fail = (): void => {
        this.open.delete(request);
        reject(new DOMException("aborted", "AbortError"));
      };
      signal?.addEventListener("abort", fail);
      if (signal?.aborted === true) return fail();
      const answer = (response: Response): void => {
        this.open.delete(request);
        resolve(response);
      };
      if (this.isDead) return;
      if (url.pathname.endsWith("/stream/status")) answer(json(this.link));
      else if (url.pathname.endsWith("/frame.jpg")) {
        if (method === "HEAD") this.heads += 1;
        answer(this.still?.clone() ?? error(503, "camera_offline"));
      }
      else if (url.pathname.endsWith("/stream.mjpeg")) {
        this.streams += 1;
        this.answer = answer;
      } else answer(this.camera === undefined ? error(404, "unknown_camera") : json(this.camera));
    });

  /** There is a picture now, of which the server tells the time. */
  keep(seq: number): void {
    this.camera = { name: "Door", source: null, ...this.camera, online: true, reason: null, seq };
    this.still = new Response("jpg", { headers: { "X-Framecast-Received-Us": "5000000", "X-Framecast-Age-Ms": "250" } });
  }

  /** The answer begins. */
  begin(): void {
    this.answer?.(new Response(new ReadableStream<Uint8Array>({ start: (body) => void (this.body = body) })));
  }

  picture(seq: number): void {
    this.body?.enqueue(bytes(`--framecast\r\nContent-Length: 3\r\nX-Framecast-Seq: ${seq}\r\n\r\njpg\r\n`));
  }
}

describe("MjpegSource", () => {
  let server: FakeServer;
  let told: { downs: string[]; ups: number; pictures: number; presences: (Presence | undefined)[] };
  let tests = 0;
  let clock: ServerClock;
  let source: MjpegSource | PollingSource;

  const seconds = (count: number): Promise<unknown> => vi.advanceTimersByTimeAsync(count * 1_000);
  const connected = (): void => {
    server.camera = { ...server.camera, online: true, reason: null };
  };
  const watch = (Source: typeof MjpegSource | typeof PollingSource = MjpegSource): void => {
    source = new Source({ server: new URL(`http://cams${String(tests)}.example/`), camera: "door", maxFps: undefined, size: 320 }, clock, {
      onUp: () => (told.ups += 1),
      onPicture: () => (told.pictures += 1),
      onPresence: (presence) => told.presences.push(presence),
      onDown: (ending, reason) => told.downs.push(`${ending}: ${reason}`),
    });
  };

  beforeEach(() => {
    vi.useFakeTimers();
    // What was heard of a server is known to the page.
    tests += 1;
    server = new FakeServer();
    clock = new ServerClock();
    told = { downs: [], ups: 0, pictures: 0, presences: [] };
    vi.stubGlobal("fetch", server.fetch);
    vi.stubGlobal("location", { origin: "http://wall.example" });
  });
  afterEach(() => {
    source.close();
    vi.useRealTimers();
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });

  it.each([["MJPEG", MjpegSource], ["polling", PollingSource]] as const)("needs nothing by %s that browsers of 2022 lack", async (_, Source) => {
    const { any, timeout } = AbortSignal;
    for (const name of ["any", "timeout"]) Reflect.deleteProperty(AbortSignal, name);
    try {
      connected();
      watch(Source);
      await seconds(5);
      expect(server.asked).toBeGreaterThan(2);
      expect(told.downs).toEqual([]);
      server.isDead = true;
      await seconds(30);
      expect(told.downs).toHaveLength(1);
      expect(server.open.size).toBe(0);
    } finally {
      Object.assign(AbortSignal, { any, timeout });
    }
  });

  it("takes back what it has asked for when it ends, and keeps no timer of what was answered", async () => {
    watch();
    await seconds(5);
    // The next look, the stream that is asked for, and whether that is silent.
    expect([server.open.size, vi.getTimerCount()]).toEqual([1, 3]);
    server.isDead = true;
    await seconds(2);
    expect(server.open.size).toBe(2);
    source.close();
    await seconds(0);
    expect([server.open.size, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it("waits for a camera that the server connects to, and says so", async () => {
    watch();
    await seconds(5);
    expect(told.presences.at(-1)).toMatchObject({ online: false, connecting: true });
    // Its video comes now, and a picture of it only with the next key frame.
    connected();
    await seconds(6);
    expect(told).toMatchObject({ downs: [], ups: 1, pictures: 0 });
    server.begin();
    server.picture(1);
    await seconds(1);
    expect(told).toMatchObject({ downs: [], pictures: 1 });
    expect(told.presences.at(-1)).toMatchObject({ online: true, connecting: false });
  });

  it("learns the time of a camera that comes later, and of one whose time is not told at once", async () => {
    server.camera = undefined;
    watch();
    await seconds(3);
    expect([server.heads, server.streams]).toEqual([0, 0]);
    server.camera = { name: "Door", online: true, reason: null, source: null, seq: 1 };
    await seconds(3);
    server.begin();
    for (let seq = 1; seq <= 90; seq += 1) {
      server.picture(seq);
      await seconds(0.1);
    }
    expect([server.heads, clock.offsetUs]).toEqual([5, undefined]);
    server.keep(90);
    for (let seq = 91; seq <= 120; seq += 1) {
      server.picture(seq);
      await seconds(0.1);
    }
    expect(server.heads).toBe(6);
    expect(clock.offsetUs).toBeDefined();
    expect(told.downs).toEqual([]);
  });

  it("learns the time before the first picture where there is one, and of one that stays", async () => {
    server.keep(7);
    watch();
    await seconds(0.1);
    expect(clock.offsetUs).toBeDefined();
    source.close();
    server.still = undefined;
    watch();
    await seconds(0.1);
    expect(clock.offsetUs).toBeUndefined();
    server.keep(7);
    server.begin();
    for (let times = 0; times < 2; times += 1) {
      server.picture(7);
      await seconds(4);
    }
    expect(clock.offsetUs).toBeDefined();
    expect(told.pictures).toBe(1);
  });

  it("goes on asking for one that cannot be connected to", async () => {
    watch();
    await seconds(10.5);
    server.answer?.(error(503, "camera_offline"));
    server.link = { state: "waiting", last_error: "nothing answers" };
    await seconds(12);
    expect(told.downs).toEqual([]);
    expect(server.streams).toBe(2);
    expect(told.presences.at(-1)).toMatchObject({ connecting: false });
  });

  it("gives way where something holds its pictures back, at once or behind the header", async () => {
    watch();
    await seconds(15);
    expect(told.downs).toEqual(["unreached: No pictures come by MJPEG."]);
    for (const begins of [false, true]) {
      told.downs = [];
      server.camera = { name: "Door", online: true, reason: null, source: null };
      watch();
      await seconds(5);
      if (begins) server.begin();
      expect(told.downs).toEqual([]);
      await seconds(7);
      expect(told.downs).toEqual(["unreached: No pictures come by MJPEG."]);
    }
  });

  it("gives way where its bytes break off behind the header, as in WebKit", async () => {
    connected();
    watch();
    await seconds(0.1);
    server.begin();
    server.body?.error(new TypeError("Load failed"));
    await seconds(0.1);
    expect(told.downs).toEqual(["unreached: No pictures come by MJPEG."]);
  });

  it("takes a break long behind the header for the network's", async () => {
    connected();
    watch();
    await seconds(0.1);
    server.begin();
    await seconds(3);
    server.body?.error(new TypeError("network error"));
    server.isDead = true;
    await seconds(10);
    expect(told.downs).toEqual(["lost: The server cannot be reached."]);
  });

  it("asks for no stream of a camera that has never published, and notices when its server dies", async () => {
    server.camera = { name: "Door", online: false, reason: "never published", source: null, seq: 0 };
    watch();
    await seconds(60);
    expect([server.streams, told.ups, told.downs]).toEqual([0, 1, []]);
    server.isDead = true;
    await seconds(25);
    expect(told.downs).toEqual(["lost: The server cannot be reached."]);
  });

  it("notices a connection that has died without a word", async () => {
    connected();
    watch();
    await seconds(0.1);
    server.begin();
    server.picture(1);
    // What stays comes again.
    for (let times = 0; times < 5; times += 1) {
      await seconds(4);
      server.picture(1);
    }
    expect(told).toMatchObject({ downs: [], pictures: 1 });
    server.isDead = true;
    await seconds(17);
    expect(told.downs).toHaveLength(1);
  });

  it("notices a server that is never heard of, but lets a stream have the only connection", async () => {
    server.isDead = true;
    watch();
    await seconds(13);
    expect(told.downs).toEqual(["unreached: The server cannot be reached."]);
    told.downs = [];
    server.isDead = false;
    connected();
    watch();
    await seconds(0.1);
    server.begin();
    server.isDead = true;
    for (let times = 0; times < 10; times += 1) {
      server.picture(times);
      await seconds(4);
    }
    expect(told.downs).toEqual([]);
  });

  it("lets an offline camera's stream be silent", async () => {
    connected();
    watch();
    await seconds(0.1);
    server.begin();
    server.picture(1);
    server.camera = { ...server.camera, online: false };
    await seconds(60);
    expect(told.downs).toEqual([]);
  });
});
