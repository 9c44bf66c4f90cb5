// The last minutes, second by second: figures from the difference of two readings. No clock, no DOM.

import { sum, type Drops, type PageCamera, type Reading } from "./reading.ts";

/** Three minutes at one reading a second. */
const KEPT = 180;
/** After a longer gap (a hidden tab, a server away) the difference says nothing about a second. */
const LONGEST_MS = 5_000;

/** Figures of one second; `null`: not known. */
export interface Figures {
  /** Frames a second. */
  fpsIn: number | null;
  fpsShown: number | null;
  /** Only of the server as a whole. */
  fpsOut: number | null;
  /** Of the pictures shown here in that second, in milliseconds. */
  ageP50: number | null;
  ageP99: number | null;
  /** Kilobytes a second. */
  kilobytesIn: number | null;
  kilobytesShown: number | null;
  kilobytesOut: number | null;
  viewers: number | null;
  /** Frames a second, by reason; reasons without any are left out. */
  drops: Readonly<Record<string, number>>;
}

export interface Sample {
  /** Unix milliseconds. */
  atMs: number;
  server: Figures;
  cameras: Readonly<Record<string, Figures>>;
}

export class History {
  readonly #samples: Sample[] = [];
  #before: Reading | undefined;

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  add(reading: Reading): void {
    const before = this.#before;
    this.#before = reading;
    if (before === undefined) return;
    const elapsedMs = reading.atMs - before.atMs;
    this.#samples.push(elapsedMs > 0 && elapsedMs <= LONGEST_MS ? compare(before, reading, elapsedMs / 1000) : blank(reading.atMs));
    if (this.#samples.length > KEPT) this.#samples.shift();
  }
}

const UNKNOWN: Figures = { fpsIn: null, fpsShown: null, fpsOut: null, ageP50: null, ageP99: null, kilobytesIn: null, kilobytesShown: null, kilobytesOut: null, viewers: null, drops: {} };

function blank(atMs: number): Sample {
  return { atMs, server: UNKNOWN, cameras: {} };
}

function compare(before: Reading, now: Reading, seconds: number): Sample {
  const cameras: Record<string, Figures> = {};
  const allAges: number[] = [];
  const droppedHere: Record<string, number> = {};
  let [shown, kilobytesShown] = [0, 0];
  for (const id of new Set([...Object.keys(now.page), ...(now.server?.cameras ?? []).map((camera) => camera.id)])) {
    const page = pageFigures(before.page[id], now.page[id], seconds);
    allAges.push(...page.ages);
    shown += page.shown;
    kilobytesShown += page.kilobytes;
    for (const [reason, fps] of Object.entries(page.drops)) droppedHere[reason] = (droppedHere[reason] ?? 0) + fps;
    const served = now.server?.cameras.find((camera) => camera.id === id);
    const servedBefore = before.server?.cameras.find((camera) => camera.id === id);
    cameras[id] = {
      ...UNKNOWN,
      fpsIn: served?.fps ?? null,
      fpsShown: page.shown / seconds,
      ...percentiles(page.ages),
      kilobytesIn: served === undefined ? null : served.bytesPerSecond / 1000,
      kilobytesShown: page.kilobytes,
      viewers: served?.viewers ?? null,
      drops: { ...rates(servedBefore?.drops, served?.drops, seconds), ...page.drops },
    };
  }
  const [server, old] = [now.server, before.server];
  return {
    atMs: now.atMs,
    cameras,
    server: {
      fpsIn: server === undefined ? null : sum(server.cameras.map(({ fps }) => fps)),
      fpsShown: shown / seconds,
      fpsOut: rate(old?.sentFrames, server?.sentFrames, seconds),
      ...percentiles(allAges),
      kilobytesIn: server === undefined ? null : sum(server.cameras.map(({ bytesPerSecond }) => bytesPerSecond)) / 1000,
      kilobytesShown,
      kilobytesOut: thousandth(rate(old?.sentBytes, server?.sentBytes, seconds)),
      viewers: server?.viewers ?? null,
      drops: { ...rates(old?.drops, server?.drops, seconds), ...droppedHere },
    },
  };
}

function pageFigures(before: PageCamera | undefined, now: PageCamera | undefined, seconds: number): { shown: number; ages: readonly number[]; kilobytes: number; drops: Drops } {
  const shown = now === undefined || before === undefined ? 0 : Math.max(0, now.shown - before.shown);
  return { shown, ages: shown === 0 ? [] : (now?.ageMs.slice(-shown) ?? []), kilobytes: now?.kilobytesPerSecond ?? 0, drops: rates(dropsHere(before), dropsHere(now), seconds) };
}

/** Under names that no reason of the server has. */
function dropsHere(page: PageCamera | undefined): Drops | undefined {
  return page && { overtaken_here: page.skipped, broken_here: page.broken };
}

function percentiles(ages: readonly number[]): { ageP50: number | null; ageP99: number | null } {
  const sorted = [...ages].sort((a, b) => a - b);
  const at = (fraction: number): number | null => sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)] ?? null;
  return { ageP50: at(0.5), ageP99: at(0.99) };
}

/** Counts that fell belong to another run of the server. */
function rate(before: number | undefined, now: number | undefined, seconds: number): number | null {
  return before === undefined || now === undefined || now < before ? null : (now - before) / seconds;
}

function thousandth(value: number | null): number | null {
  return value === null ? null : value / 1000;
}

function rates(before: Drops | undefined, now: Drops | undefined, seconds: number): Record<string, number> {
  if (before === undefined || now === undefined) return {};
  return Object.fromEntries(Object.entries(now).flatMap(([reason, count]) => {
    const value = rate(before[reason] ?? 0, count, seconds);
    return value === null || value === 0 ? [] : [[reason, value]];
  }));
}
