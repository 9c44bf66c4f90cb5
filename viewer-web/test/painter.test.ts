import { describe, expect, it } from "vitest";
import { Painter, type PainterEvents } from "../src/picture/painter.ts";

/** A decoder whose pictures are ready when the test says so, and a canvas that only counts. */
function painter(canvasNow = true): {
  canvas: HTMLCanvasElement;
  painter: Painter<number>;
  finish: (ok?: boolean) => Promise<void>;
  log: string[];
  decoding: () => number;
  closed: () => number;
} {
  const log: string[] = [];
  const waiting: { resolve: (bitmap: ImageBitmap) => void; reject: (error: Error) => void }[] = [];
  let closed = 0;
  const bitmap = { width: 4, height: 3, close: () => (closed += 1) } as unknown as ImageBitmap;
  const canvas = { width: 0, height: 0, getContext: () => ({ drawImage: () => undefined }) } as unknown as HTMLCanvasElement;
  const events: PainterEvents<number> = {
    onShown: (about) => log.push(`shown ${about}`),
    onSkipped: (about) => log.push(`skipped ${about}`),
    onBroken: (about) => log.push(`broken ${about}`),
  };
  const painter = new Painter(events, () => new Promise((resolve, reject) => waiting.push({ resolve, reject })));
  if (canvasNow) painter.drawOn(canvas);
  return {
    painter,
    canvas,
    finish: async (ok = true) => {
      const first = waiting.shift();
      if (ok) first?.resolve(bitmap);
      else first?.reject(new Error("broken"));
      await new Promise((resolve) => setTimeout(resolve));
    },
    log,
    decoding: () => waiting.length,
    closed: () => closed,
  };
}

const job = (about: number): { jpeg: Uint8Array<ArrayBuffer>; about: number } => ({ jpeg: new Uint8Array(1), about });

describe("Painter", () => {
  it("decodes one at a time and takes the newest next", async () => {
    const { painter: it, finish, log, decoding } = painter();
    for (const about of [1, 2, 3, 4]) it.offer(job(about));
    expect(decoding()).toBe(1);
    await finish();
    expect(decoding()).toBe(1);
    await finish();
    expect(decoding()).toBe(0);
    expect(log).toEqual(["skipped 2", "skipped 3", "shown 1", "shown 4"]);
  });

  it("goes on after a picture that cannot be decoded", async () => {
    const { painter: it, finish, log } = painter();
    it.offer(job(1));
    await finish(false);
    it.offer(job(2));
    await finish();
    expect(log).toEqual(["broken 1", "shown 2"]);
  });

  it("keeps only the newest until it has somewhere to draw", async () => {
    const { painter: it, canvas, finish, log, decoding } = painter(false);
    for (const about of [1, 2, 3]) it.offer(job(about));
    expect(decoding()).toBe(0);
    it.drawOn(canvas);
    await finish();
    expect(log).toEqual(["skipped 1", "skipped 2", "shown 3"]);
  });

  it("frees every picture, also one that comes after the end", async () => {
    const { painter: it, finish, log, closed } = painter();
    it.offer(job(1));
    await finish();
    it.offer(job(2));
    it.close();
    await finish();
    it.offer(job(3));
    expect(log).toEqual(["shown 1"]);
    expect(closed()).toBe(2);
  });
});
