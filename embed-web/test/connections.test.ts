// Many elements of one page by MJPEG over HTTP/1.1: a browser opens six connections to a server.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ServerClock } from "@framecast/shared/clock";
import { MjpegSource } from "../src/source/mjpeg.ts";

const CONNECTIONS = 6;
const part = (seq: number): Uint8Array => new TextEncoder().encode(`--framecast\r\nContent-Length: 3\r\nX-Framecast-Seq: ${String(seq)}\r\n\r\njpg\r\n`);

interface Camera {
  online: boolean;
  seq: number;
  bodies: Set<ReadableStreamDefaultController<Uint8Array>>;
}

class Network {
  readonly cameras = new Map<string, Camera>();
  isDead = false;
  #busy = 0;
  #queue: (() => void)[] = [];

  readonly fetch = (url: URL, { signal }: RequestInit): Promise<Response> =>
    new Promise((resolve, reject) => {
      let isOver = false;
      let isBegun = false;
      const over = (): void => {
        if (isBegun && !isOver) this.#busy -= 1;
        isOver = true;
        this.#next();
      };
      signal?.addEventListener("abort", () => {
        over();
        reject(new DOMException("aborted", "AbortError"));
      });
      this.#queue.push(() => {
        if (isOver) return;
        isBegun = true;
        this.#busy += 1;
        if (this.isDead) return;
        const camera = this.cameras.get(url.pathname.split("/")[3] ?? "");
        if (camera !== undefined && url.pathname.endsWith("/stream.mjpeg")) {
          const start = (body: ReadableStreamDefaultController<Uint8Array>): void => {
            camera.bodies.add(body);
            signal?.addEventListener("abort", () => {
              camera.bodies.delete(body);
              body.error(new DOMException("aborted", "AbortError"));
            });
            if (camera.seq > 0) body.enqueue(part(camera.seq));
          };
          resolve(new Response(new ReadableStream({ start })));
          return;
        }
        resolve(new Response(JSON.stringify({ name: "", source: null, online: camera?.online, seq: camera?.seq })));
        over();
      });
      this.#next();
    });

  picture(): void {
    for (const camera of this.cameras.values()) {
      if (!camera.online) continue;
      camera.seq += 1;
      for (const body of camera.bodies) body.enqueue(part(camera.seq));
    }
  }

  #next(): void {
    while (this.#busy < CONNECTIONS && this.#queue.length > 0) this.#queue.shift()?.();
  }
}

describe("elements that share six connections", () => {
  let network: Network;
  let sources: MjpegSource[];
  let downs: string[];
  let pictures: Record<string, number>;

  const seconds = async (count: number): Promise<void> => {
    for (let times = 0; times < count; times += 1) {
      if (!network.isDead) network.picture();
      await vi.advanceTimersByTimeAsync(1_000);
    }
  };
  const watch = (host: string, cameras: Record<string, Pick<Camera, "online" | "seq">>): void => {
    for (const [camera, state] of Object.entries(cameras)) {
      network.cameras.set(camera, { ...state, bodies: new Set() });
      pictures[camera] = 0;
      sources.push(
        new MjpegSource({ server: new URL(`http://${host}/`), camera, maxFps: undefined, size: 320 }, new ServerClock(), {
          onUp: () => undefined,
          onPicture: () => (pictures[camera] = (pictures[camera] ?? 0) + 1),
          onPresence: () => undefined,
          onDown: (ending, reason) => downs.push(`${camera} ${ending}: ${reason}`),
        }),
      );
    }
  };
  const many = (count: number, state: Pick<Camera, "online" | "seq">, name: string): Record<string, Pick<Camera, "online" | "seq">> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name}${String(index)}`, state]));
  const open = (): number => [...network.cameras.values()].reduce((sum, { bodies }) => sum + bodies.size, 0);

  beforeEach(() => {
    vi.useFakeTimers();
    network = new Network();
    sources = [];
    downs = [];
    pictures = {};
    vi.stubGlobal("fetch", network.fetch);
    vi.stubGlobal("location", { origin: "http://wall.example" });
  });
  afterEach(() => {
    for (const source of sources) source.close();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("stay calm where some cameras are offline, and show their last pictures", async () => {
    watch("calm.example", { ...many(4, { online: true, seq: 0 }, "live"), ...many(3, { online: false, seq: 5 }, "away"), ...many(2, { online: false, seq: 0 }, "never") });
    await seconds(60);
    expect(downs).toEqual([]);
    expect([open(), pictures["away0"], pictures["away2"], pictures["never0"]]).toEqual([4, 1, 1, 0]);
    for (const name of ["away1", "never1"]) {
      const camera = network.cameras.get(name);
      if (camera !== undefined) camera.online = true;
    }
    await seconds(60);
    expect(downs).toEqual([]);
    expect(open()).toBe(6);
    expect(pictures["away1"]).toBeGreaterThan(50);
    expect(pictures["never1"]).toBeGreaterThan(50);
  });

  it("free theirs when cameras go offline", async () => {
    watch("free.example", many(6, { online: true, seq: 0 }, "live"));
    await seconds(5);
    for (const camera of network.cameras.values()) camera.online = false;
    await seconds(60);
    // With all connections taken nobody can be told: the first that ends lets the others know.
    expect(downs).toEqual(["live0 lost: No pictures come by MJPEG."]);
    expect(open()).toBe(0);
  });

  it("wait where the streams of others have all of them, and notice a server that has died", async () => {
    watch("full.example", many(6, { online: true, seq: 0 }, "live"));
    await seconds(1);
    watch("full.example", many(1, { online: false, seq: 0 }, "away"));
    await seconds(60);
    expect(downs).toEqual([]);
    network.isDead = true;
    await seconds(40);
    expect(downs).toHaveLength(7);
  });
});
