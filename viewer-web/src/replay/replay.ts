// A replay: where it stands, whether it runs, and which picture is to be on the screen. No DOM, no URLs.

import { Observable } from "@framecast/shared/observable";
import { FrameStore, type FetchFrame } from "./frame-store.ts";
import { indexAt, offsetsOf, planned, type Moment } from "./timeline.ts";

/** Most bytes of pictures held: ten seconds at 30 fps of 200 kB each. */
const MAX_BYTES = 64 * 1024 * 1024;

export type ReplayState =
  | { phase: "loading" }
  /** `reason` in plain words. */
  | { phase: "failed"; reason: string }
  | {
      phase: "ready";
      moment: Moment;
      index: number;
      count: number;
      playing: boolean;
      /** The picture is not here yet. */
      waiting: boolean;
      /** Before the newest frame of the replay, in milliseconds. */
      beforeEndMs: number;
      /** Frames that left the server's cache before they were fetched. */
      gone: number;
      /** The server cannot be reached; only what is here can be shown. */
      cutOff: boolean;
    };

export interface ReplaySource {
  /** What the cache holds, oldest first. */
  list: () => Promise<Moment[]>;
  fetch: FetchFrame;
}

/** Puts a picture on the screen. */
export type Show = (picture: Blob, moment: Moment) => void;

export class Replay {
  readonly state = new Observable<ReplayState>({ phase: "loading" });
  readonly #source: ReplaySource;
  readonly #show: Show;
  readonly #store: FrameStore;
  #moments: Moment[] = [];
  #offsets: number[] = [];
  #index = 0;
  #shown: number | undefined;
  #gone = 0;
  #cutOff = false;
  #playing = false;
  /** Which offset belongs to which time of this page's clock, while it runs. */
  #anchor = { offsetMs: 0, atMs: 0 };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(source: ReplaySource, show: Show) {
    this.#source = source;
    this.#show = show;
    this.#store = new FrameStore(source.fetch, {
      onHeld: (seq) => {
        if (seq === this.#moments[this.#index]?.seq) this.#arrived();
      },
      onGone: (seq) => this.#lose([seq]),
      onFailed: () => {
        this.#cutOff = true;
        this.#lose(this.#moments.map(({ seq }) => seq).filter((seq) => this.#store.get(seq) === undefined));
      },
    });
  }

  /** Fetches what there is and plays it from the oldest frame on. */
  async start(): Promise<void> {
    let moments: Moment[];
    try {
      moments = await this.#source.list();
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
      return;
    }
    if (this.#closed) return;
    if (moments.length === 0) {
      this.#fail("The server holds no picture of this camera.");
      return;
    }
    this.#moments = moments;
    this.#offsets = offsetsOf(moments);
    this.#playing = moments.length > 1;
    this.#go(0);
  }

  /** Stands still at a frame. */
  seek(index: number): void {
    if (this.state.value.phase !== "ready") return;
    this.#pause();
    this.#go(Math.min(this.#moments.length - 1, Math.max(0, index)));
  }

  step(frames: number): void {
    this.seek(this.#index + frames);
  }

  /** Plays or stands; at its end it plays from the start again. */
  toggle(): void {
    if (this.state.value.phase !== "ready" || this.#moments.length < 2) return;
    if (this.#playing) {
      this.#pause();
      this.#publish();
      return;
    }
    this.#playing = true;
    this.#go(this.#index === this.#moments.length - 1 ? 0 : this.#index);
  }

  /** The picture of the moment that the state names, if it is here. */
  picture(): Blob | undefined {
    const moment = this.#moments[this.#index];
    return moment === undefined ? undefined : this.#store.get(moment.seq);
  }

  close(): void {
    this.#closed = true;
    this.#pause();
    this.#store.close();
  }

  #fail(reason: string): void {
    if (!this.#closed) this.state.set({ phase: "failed", reason });
  }

  #pause(): void {
    this.#playing = false;
    clearTimeout(this.#timer);
  }

  #go(index: number): void {
    this.#index = index;
    this.#store.want(planned(this.#moments, index, MAX_BYTES));
    if (this.picture() !== undefined) this.#arrived();
    else this.#publish();
  }

  /** The frame at the cursor is here. */
  #arrived(): void {
    const moment = this.#moments[this.#index];
    const picture = this.picture();
    if (moment === undefined || picture === undefined) return;
    if (this.#shown !== moment.seq) {
      this.#shown = moment.seq;
      this.#show(picture, moment);
    }
    if (this.#playing) {
      // Time that was spent waiting does not count.
      this.#anchor = { offsetMs: this.#offsets[this.#index] ?? 0, atMs: performance.now() };
      this.#schedule();
    }
    this.#publish();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const next = this.#offsets[this.#index + 1];
    if (next === undefined) {
      this.#pause();
      return;
    }
    this.#timer = setTimeout(() => this.#advance(), Math.max(0, this.#anchor.atMs + next - this.#anchor.offsetMs - performance.now()));
  }

  /** Real speed: a page that is late leaves frames out instead of playing slowly. */
  #advance(): void {
    const offsetMs = this.#anchor.offsetMs + performance.now() - this.#anchor.atMs;
    const index = Math.max(this.#index + 1, indexAt(this.#offsets, offsetMs));
    this.#index = Math.min(index, this.#moments.length - 1);
    const moment = this.#moments[this.#index];
    this.#store.want(planned(this.#moments, this.#index, MAX_BYTES));
    const picture = this.picture();
    if (moment !== undefined && picture !== undefined) {
      this.#shown = moment.seq;
      this.#show(picture, moment);
      this.#schedule();
    }
    this.#publish();
  }

  /** These frames cannot be had any more; the cursor stays, or goes to the next frame there is. */
  #lose(seqs: readonly number[]): void {
    const lost = new Set(seqs);
    const before = this.#moments.slice(0, this.#index).filter(({ seq }) => !lost.has(seq)).length;
    const kept = this.#moments.filter(({ seq }) => !lost.has(seq));
    this.#gone += this.#moments.length - kept.length;
    const current = this.#moments[this.#index];
    const offsetMs = this.#offsets[this.#index] ?? 0;
    this.#moments = kept;
    if (kept.length === 0) {
      this.#pause();
      this.#fail(this.#cutOff ? "The server cannot be reached." : "The pictures have left the server's cache.");
      return;
    }
    this.#offsets = offsetsOf(kept);
    this.#index = Math.min(before, kept.length - 1);
    if (current !== undefined && !lost.has(current.seq)) {
      // The offsets may begin elsewhere now.
      this.#anchor.offsetMs += (this.#offsets[this.#index] ?? 0) - offsetMs;
      if (this.#playing && this.picture() !== undefined) this.#schedule();
      this.#publish();
    } else this.#go(this.#index);
  }

  #publish(): void {
    const moment = this.#moments[this.#index];
    if (this.#closed || moment === undefined) return;
    this.state.set({
      phase: "ready",
      moment,
      index: this.#index,
      count: this.#moments.length,
      playing: this.#playing,
      waiting: this.picture() === undefined,
      beforeEndMs: (this.#offsets.at(-1) ?? 0) - (this.#offsets[this.#index] ?? 0),
      gone: this.#gone,
      cutOff: this.#cutOff,
    });
  }
}
