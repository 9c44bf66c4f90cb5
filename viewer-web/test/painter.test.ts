import { describe, expect, it } from "vitest";
import type { Decoded } from "../src/picture/decode.ts";
import { Painter, type PainterEvents } from "../src/picture/painter.ts";

/** A decoder of pictures 64 wide that are ready when the test says so, and a canvas that only counts. */
function painter(canvasNow = true): {
  canvas: HTMLCanvasElement;
  painter: Painter<number>;
  finish: (ok?: boolean) => Promise<void>;
  log: string[];
  decoding: () => number;
  closed: () => number;
  /** How wide each picture was asked for. */
  asked: number[];
} {
  const log: string[] = [];
  const asked: number[] = [];
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  let closed = 0;
  const decoded = (width: number): Decoded => ({
    image: { close: () => (closed += 1) } as unknown as ImageBitmap,
    width,
    height: width * 0.75,
    of: { width: 64, height: 48 },
  });
  const canvas = { width: 0, height: 0, getContext: () => ({ drawImage: () => undefined }) } as unknown as HTMLCanvasElement;
  const events: PainterEvents<number> = {
    onShown: (about, width, height) => log.push(width === 64 && height === 48 ? `shown ${about}` : `shown ${about} of ${width}×${height}`),
    onSkipped: (about) => log.push(`skipped ${about}`),
    onBroken: (about) => log.push(`broken ${about}`),
  };
  const painter = new Painter(events, (_jpeg, shownWidth) => {
    asked.push(shownWidth);
    return new Promise((resolve, reject) => waiting.push({ resolve: () => resolve(decoded(Math.min(64, shownWidth))), reject }));
  });
  if (canvasNow) painter.drawOn(canvas);
  return {
    painter,
    canvas,
    finish: async (ok = true) => {
      const first = waiting.shift();
      if (ok) first?.resolve();
      else first?.reject(new Error("broken"));
      await new Promise((resolve) => setTimeout(resolve));
    },
    log,
    decoding: () => waiting.length,
    closed: () => closed,
    asked,
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

  it("draws as few pixels as are shown, and the same picture again once more are", async () => {
    const { painter: it, canvas, finish, log, asked, closed } = painter();
    it.showAs(16);
    it.offer(job(1));
    await finish();
    expect(canvas).toMatchObject({ width: 16, height: 12 });
    it.showAs(32);
    await finish();
    expect(canvas).toMatchObject({ width: 32, height: 24 });
    // Narrower: the next picture will be.
    it.showAs(16);
    expect(asked).toEqual([16, 32]);
    expect(closed()).toBe(2);
    expect(log).toEqual(["shown 1"]);
  });

  it("leaves a whole picture as it is, however wide it is shown", async () => {
    const { painter: it, finish, asked } = painter();
    it.showAs(64);
    it.offer(job(1));
    await finish();
    it.showAs(128);
    expect(asked).toEqual([64]);
  });

  it("becomes wider with the next picture where that is on its way already", async () => {
    const { painter: it, canvas, finish, log, asked } = painter();
    it.showAs(16);
    it.offer(job(1));
    await finish();
    it.offer(job(2));
    it.showAs(32);
    it.offer(job(3));
    await finish();
    expect(asked).toEqual([16, 16, 32]);
    await finish();
    expect(canvas.width).toBe(32);
    expect(log).toEqual(["shown 1", "shown 2", "shown 3"]);
  });

  it("paints again what came too small, unless a newer picture waits", async () => {
    const { painter: it, finish, log, asked } = painter();
    it.showAs(16);
    it.offer(job(1));
    it.showAs(32);
    await finish();
    expect(asked).toEqual([16, 32]);
    it.offer(job(2));
    await finish();
    await finish();
    expect(log).toEqual(["shown 1", "shown 2"]);
  });

  it("paints again what is too small also where all that came since was broken", async () => {
    const { painter: it, canvas, finish, log, asked } = painter();
    it.showAs(16);
    it.offer(job(1));
    await finish();
    it.offer(job(2));
    it.showAs(32);
    await finish(false);
    await finish();
    expect(asked).toEqual([16, 16, 32]);
    expect(canvas.width).toBe(32);
    expect(log).toEqual(["shown 1", "broken 2"]);
  });

  it("keeps what it shows if that cannot be drawn again", async () => {
    const { painter: it, finish, log, asked } = painter();
    it.showAs(16);
    it.offer(job(1));
    await finish();
    it.showAs(32);
    await finish(false);
    it.showAs(48);
    expect(asked).toEqual([16, 32]);
    expect(log).toEqual(["shown 1"]);
  });
});
