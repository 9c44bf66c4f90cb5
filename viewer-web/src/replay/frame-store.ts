// Pictures of a replay on their way from the server's cache, and those that are here. Bounded in bytes by what it
// is told to hold, and in requests.

/** Browsers open six connections to a server over HTTP/1.1; the live pictures may need theirs. */
const AT_ONCE = 3;
/** A request that failed is tried so often, with this pause. */
const TRIES = 3;
const PAUSE_MS = 400;

/** Fetches one picture; `gone` where the server has it no more. Throws where it cannot be reached. */
export type FetchFrame = (seq: number, signal: AbortSignal) => Promise<Blob | "gone">;

export interface FrameStoreEvents {
  onHeld: (seq: number) => void;
  onGone: (seq: number) => void;
  /** A picture that is wanted could not be fetched; no more are tried. */
  onFailed: () => void;
}

export class FrameStore {
  readonly #fetch: FetchFrame;
  readonly #events: FrameStoreEvents;
  readonly #held = new Map<number, Blob>();
  readonly #loading = new Map<number, AbortController>();
  #wanted: readonly number[] = [];
  #closed = false;

  constructor(fetch: FetchFrame, events: FrameStoreEvents) {
    this.#fetch = fetch;
    this.#events = events;
  }

  /** Holds exactly these from now on, fetching the first ones first. */
  want(seqs: readonly number[]): void {
    this.#wanted = seqs;
    const wanted = new Set(seqs);
    for (const seq of [...this.#held.keys()]) if (!wanted.has(seq)) this.#held.delete(seq);
    for (const [seq, abort] of [...this.#loading]) {
      if (wanted.has(seq)) continue;
      abort.abort();
      this.#loading.delete(seq);
    }
    this.#fill();
  }

  get(seq: number): Blob | undefined {
    return this.#held.get(seq);
  }

  get size(): number {
    return this.#held.size;
  }

  close(): void {
    this.#closed = true;
    this.want([]);
  }

  #fill(): void {
    if (this.#closed) return;
    for (const seq of this.#wanted) {
      if (this.#loading.size >= AT_ONCE) return;
      if (this.#held.has(seq) || this.#loading.has(seq)) continue;
      const abort = new AbortController();
      this.#loading.set(seq, abort);
      this.#load(seq, abort.signal).catch(() => {
        if (!abort.signal.aborted) this.#fail();
      });
    }
  }

  async #load(seq: number, signal: AbortSignal): Promise<void> {
    const frame = await this.#patiently(seq, signal);
    if (signal.aborted) return;
    this.#loading.delete(seq);
    if (frame === "gone") {
      this.#wanted = this.#wanted.filter((wanted) => wanted !== seq);
      this.#events.onGone(seq);
    } else {
      this.#held.set(seq, frame);
      this.#events.onHeld(seq);
    }
    this.#fill();
  }

  async #patiently(seq: number, signal: AbortSignal): Promise<Blob | "gone"> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#fetch(seq, signal);
      } catch (error) {
        if (signal.aborted || attempt >= TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt));
      }
    }
  }

  #fail(): void {
    if (this.#closed) return;
    // What is here stays to look at.
    this.#wanted = this.#wanted.filter((seq) => this.#held.has(seq));
    for (const abort of this.#loading.values()) abort.abort();
    this.#loading.clear();
    this.#events.onFailed();
  }
}
