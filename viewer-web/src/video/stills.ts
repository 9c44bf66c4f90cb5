// Pictures of cameras that do not play here: the newest that the server has, fetched once, and now and then a new
// one for those in sight that may not play because too many others do.

import { httpUrl } from "@framecast/shared/address";
import type { Picture } from "../engine/messages.ts";
import type { Listed } from "../listing.ts";

/** How often a tile that may not play gets a new picture. */
const REFRESH_MS = 10_000;
/** A server that has to connect to the camera first takes its time. */
const TIMEOUT_MS = 12_000;

/** Fetches a picture; replaced in tests. */
export type FetchStill = (camera: string, seq: number | undefined, signal: AbortSignal) => Promise<Picture | undefined>;

export class Stills<T extends { id: string }> {
  readonly #onStill: (camera: T, picture: Picture) => void;
  readonly #fetch: FetchStill;
  readonly #abort = new AbortController();
  /** Numbers of the pictures fetched. */
  readonly #seqs = new Map<string, number>();
  /** Those that are refreshed, and when each was. */
  readonly #refreshed = new Map<T, number>();
  readonly #queue: { camera: T; seq: number | undefined }[] = [];
  #busy = false;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(onStill: (camera: T, picture: Picture) => void, fetchOne: FetchStill = fetchStill) {
    this.#onStill = onStill;
    this.#fetch = fetchOne;
  }

  /** What the server has of a camera; with `wanted` its newest picture is fetched, unless that was done. */
  learned(camera: T, { seq }: Pick<Listed, "seq">, wanted: boolean): void {
    if (!wanted || seq === 0 || this.#seqs.get(camera.id) === seq) return;
    this.#seqs.set(camera.id, seq);
    // This one and no newer: asking for the newest would have the server connect to the camera.
    this.#ask(camera, seq);
  }

  /** Whether the camera is to have a new picture now and then. */
  refresh(camera: T, wanted: boolean): void {
    if (!wanted) this.#refreshed.delete(camera);
    else if (!this.#refreshed.has(camera)) {
      this.#refreshed.set(camera, 0);
      this.#due();
    }
    if (this.#refreshed.size > 0) this.#timer ??= setInterval(() => this.#due(), REFRESH_MS / 5);
    else this.#stop();
  }

  forget(camera: T): void {
    this.#refreshed.delete(camera);
    this.#seqs.delete(camera.id);
  }

  close(): void {
    this.#stop();
    this.#abort.abort();
    this.#queue.length = 0;
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #due(): void {
    const nowMs = performance.now();
    for (const [camera, atMs] of this.#refreshed) {
      if (atMs !== 0 && nowMs - atMs < REFRESH_MS) continue;
      this.#refreshed.set(camera, nowMs);
      this.#ask(camera, undefined);
    }
  }

  #ask(camera: T, seq: number | undefined): void {
    const waiting = this.#queue.find((one) => one.camera === camera);
    if (waiting === undefined) this.#queue.push({ camera, seq });
    else waiting.seq = seq;
    if (!this.#busy) this.#work().catch(() => undefined);
  }

  /** One at a time: nobody waits for these. */
  async #work(): Promise<void> {
    this.#busy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const { camera, seq } = next;
      const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(TIMEOUT_MS)]);
      const picture = await this.#fetch(camera.id, seq, signal).catch(() => undefined);
      if (picture !== undefined && !this.#abort.signal.aborted) this.#onStill(camera, picture);
    }
    this.#busy = false;
  }
}

async function fetchStill(camera: string, seq: number | undefined, signal: AbortSignal): Promise<Picture | undefined> {
  const url = httpUrl(`api/cameras/${encodeURIComponent(camera)}/frame.jpg`, import.meta.env.VITE_VIEW_URL, location.href);
  if (seq !== undefined) url.searchParams.set("seq", String(seq));
  const response = await fetch(url, { signal, cache: "no-store" });
  if (!response.ok || response.status === 204) return undefined;
  const number = (name: string): number => Number(response.headers.get(name) ?? "0") || 0;
  const takenUs = number("X-Framecast-Captured-Us") || number("X-Framecast-Received-Us");
  const served = response.headers.get("X-Framecast-Seq");
  return { seq: served === null ? undefined : BigInt(served), jpeg: new Uint8Array(await response.arrayBuffer()), takenMs: takenUs / 1000 };
}
