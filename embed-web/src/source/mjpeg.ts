// One camera as one endless HTTP answer, where a WebSocket does not get through.

import { ANSWER_MS, HttpSource, SILENT_MS } from "./http.ts";
import { PartReader, type Part } from "./parts.ts";
import { PATIENCE_MS, type Wish } from "./source.ts";

/** Before a camera that is unknown or away is asked for again. */
const AGAIN_MS = 2_000;
/** Behind the header: a browser that gives a script no bytes of such an answer has failed by then. */
const SOON_MS = 1_000;
/** How often it is looked whether the stream is silent. */
const LISTEN_MS = 1_000;

/** How far an answer has come: `none` is asked for, it is waited for, it has begun, or it has brought a picture. */
type Stage = "none" | "asked" | "begun" | "shown";

export class MjpegSource extends HttpSource {
  #stage: Stage = "none";
  /** When the answer was asked for, began, or brought something. */
  #heardMs = 0;
  /** Of the newest picture of this size. */
  #newest: string | undefined;
  /** Of the answer that is read. */
  #stream = new AbortController();

  protected override begin(): void {
    this.releases.add(() => this.#stream.abort());
    // Only a picture tells the time.
    this.guard((this.seq > 0 ? this.measureClock() : Promise.resolve()).then(() => this.#read()));
    this.releases.every(LISTEN_MS, () => this.#listen());
  }

  /** An answer keeps its size: the next one begins where this one ends. */
  override resize(size: Wish["size"]): void {
    super.resize(size);
    this.#newest = undefined;
    this.#stream.abort();
  }

  async #read(): Promise<void> {
    while (!this.releases.closed) {
      const stream = new AbortController();
      this.#stream = stream;
      try {
        await this.#readOne(stream.signal);
        return;
      } catch (error) {
        if (!stream.signal.aborted) throw error;
      }
    }
  }

  async #readOne(signal: AbortSignal): Promise<void> {
    // Of one that is pushed and away nothing comes but its newest picture.
    if (!this.online && !this.pulled && this.seq <= Number(this.#newest ?? 0)) return this.#again(LISTEN_MS);
    const { maxFps } = this.wish;
    this.#newest = undefined;
    this.#enter("asked");
    const response = await this.get("/stream.mjpeg", (answer) => answer, { ...this.sized, ...(maxFps === undefined ? {} : { max_fps: maxFps }) }, { signal });
    this.#enter("begun");
    const begunMs = this.#heardMs;
    const reader = response.ok ? response.body?.getReader() : undefined;
    if (reader !== undefined || response.status === 404) this.accepted();
    else await this.refused(response);
    if (reader === undefined) return this.#again(AGAIN_MS);
    const parts = new PartReader();
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        // WebKit takes such answers apart by itself, and of their bytes a script gets none: at once, as no network breaks.
        if (this.#stage === "begun" && !signal.aborted && performance.now() - begunMs < SOON_MS) this.#none();
        this.#stage = "none";
        throw error;
      });
      if (done) break;
      this.#heardMs = this.heard();
      for (const part of parts.push(value)) {
        this.#stage = "shown";
        this.guard(this.measureClock());
        const seq = part.headers.get("x-framecast-seq");
        // A picture that stays comes again each 4 s, which is no frame more.
        if (seq !== undefined && seq === this.#newest) continue;
        this.#newest = seq;
        this.#show(part);
      }
    }
    this.down("lost", "The stream has ended.");
  }

  #again(milliseconds: number): void {
    this.#enter("none");
    this.releases.after(milliseconds, () => this.guard(this.#read()));
  }

  #enter(stage: Stage): void {
    this.#stage = stage;
    this.#heardMs = performance.now();
  }

  /** Ends a stream that should have brought something by now. */
  #listen(): void {
    if (this.#stage === "none" || performance.now() - this.#heardMs < this.#patienceMs) return;
    // Of an offline camera nothing comes, but an answer does; its stream would hold one of the six connections that a
    // browser opens to a server. Otherwise a proxy that collects an answer before it passes it on never passes on this one.
    if (this.#stage !== "asked" && !this.online) this.#stream.abort();
    else this.#none();
  }

  #none(): void {
    this.down(this.#stage === "shown" ? "lost" : "unreached", "No pictures come by MJPEG.");
  }

  get #patienceMs(): number {
    if (this.#stage === "asked" && this.pulled) return ANSWER_MS;
    if (this.#stage !== "shown") return PATIENCE_MS;
    // What is known of the camera may be as old as the time between two looks.
    return this.online ? Math.max(SILENT_MS, 3_000 / (this.wish.maxFps ?? 1)) : AGAIN_MS;
  }

  #show({ headers, body }: Part): void {
    if (this.releases.closed) return;
    const number = (name: string): number => Number(headers.get(name)) || 0;
    this.events.onPicture({
      jpeg: body,
      seq: BigInt(headers.get("x-framecast-seq") ?? "0"),
      capturedUs: number("x-framecast-captured-us"),
      receivedUs: number("x-framecast-received-us"),
    });
  }
}
