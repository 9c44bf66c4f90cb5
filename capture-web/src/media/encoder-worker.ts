// The page's end of the encoder worker.

import { Releases } from "@framecast/shared/releases";
import type { EncoderSettings } from "./encoded.ts";
import type { GrabberEvents } from "./grabber.ts";
import type { FromWorker, ToWorker } from "./worker-messages.ts";

export class EncoderWorker {
  /** Whether the worker can read its source: settled by its first frame or its refusal. */
  readonly works: Promise<boolean>;
  readonly #worker: Worker;
  readonly #releases = new Releases();
  #busy = false;

  constructor(events: GrabberEvents) {
    this.#worker = new Worker(new URL("./encoder.worker.ts", import.meta.url), { type: "module", name: "encoder" });
    let settle: (works: boolean) => void = () => undefined;
    this.works = new Promise((resolve) => (settle = resolve));
    this.#releases.add(() => settle(false));
    this.#releases.add(() => this.#worker.terminate());
    this.#releases.listen<MessageEvent<FromWorker>>(this.#worker, "message", ({ data }) => {
      this.#busy = false;
      settle(data.type === "frame");
      switch (data.type) {
        case "frame":
          events.onFrame({ jpeg: new Uint8Array(data.jpeg), capturedUs: data.capturedUs, width: data.width, height: data.height });
          break;
        case "failed":
          events.onFailed(data.message);
          break;
        case "unsupported":
        case "ended": // The track's own `ended` event tells the page.
          break;
      }
    });
    this.#releases.listen<ErrorEvent>(this.#worker, "error", (event) => {
      settle(false);
      events.onFailed(event.message || "the encoder could not be loaded");
    });
  }

  /** A bitmap is being encoded; another would have to wait. */
  get busy(): boolean {
    return this.#busy;
  }

  start(settings: EncoderSettings, source: (ToWorker & { type: "start" })["source"], transfer: Transferable[] = []): void {
    this.#post({ type: "start", settings, source }, transfer);
  }

  encode(bitmap: ImageBitmap, capturedUs: number): void {
    this.#busy = true;
    this.#post({ type: "bitmap", bitmap, capturedUs }, [bitmap]);
  }

  close(): void {
    this.#releases.close();
  }

  #post(message: ToWorker, transfer: Transferable[]): void {
    this.#worker.postMessage(message, { transfer });
  }
}
