// One camera as one endless HTTP answer, where a WebSocket does not get through.

import { HttpSource } from "./http.ts";
import { PartReader, type Part } from "./parts.ts";
import { PATIENCE_MS, type Wish } from "./source.ts";

/** Before a camera that is unknown or away is asked for again. */
const AGAIN_MS = 2_000;

export class MjpegSource extends HttpSource {
  #pictures = 0;
  /** Of the answer that is read. */
  #stream = new AbortController();

  protected override begin(): void {
    this.releases.add(() => this.#stream.abort());
    this.guard(this.measureClock().then(() => this.#read()));
    // A proxy that collects an answer before it passes it on never passes on this one.
    this.releases.every(PATIENCE_MS, () => {
      if (this.online && this.#pictures === 0) this.down("unreached", "No pictures come by MJPEG.");
    });
  }

  /** An answer keeps its size: the next one begins where this one ends. */
  override resize(size: Wish["size"]): void {
    super.resize(size);
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
    const { maxFps } = this.wish;
    const response = await this.get("/stream.mjpeg", { ...this.sized, ...(maxFps === undefined ? {} : { max_fps: maxFps }) }, { signal });
    if (response.status !== 404 && (!response.ok || response.body === null)) await this.refused(response);
    else this.accepted();
    if (!response.ok || response.body === null) {
      this.releases.after(AGAIN_MS, () => this.guard(this.#read()));
      return;
    }
    const parts = new PartReader();
    let newest: string | undefined;
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      for (const part of parts.push(value)) {
        const seq = part.headers.get("x-framecast-seq");
        // A picture that stays comes again each 4 s, which is no frame more.
        if (seq !== undefined && seq === newest) continue;
        newest = seq;
        this.#show(part);
      }
    }
    this.down("lost", "The stream has ended.");
  }

  #show({ headers, body }: Part): void {
    if (this.releases.closed) return;
    this.#pictures += 1;
    const number = (name: string): number => Number(headers.get(name) ?? "0") || 0;
    this.events.onPicture({
      jpeg: body,
      seq: BigInt(headers.get("x-framecast-seq") ?? "0"),
      capturedUs: number("x-framecast-captured-us"),
      receivedUs: number("x-framecast-received-us"),
    });
  }
}
