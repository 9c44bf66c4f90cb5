// The page's end of the encoder worker.

import { Releases } from "@framecast/shared/releases";
import type { EncoderSettings } from "./encoded.ts";
import type { GrabberEvents } from "./grabber.ts";
import type { FromWorker, Source, ToWorker } from "./worker-messages.ts";

export class EncoderWorker {
  /** Whether the worker can read its source: settled by its first frame or its refusal. */
  readonly works: Promise<boolean>;
  readonly #worker: Worker;
  readonly #releases = new Releases();
  #settle: (works: boolean) => void = () => undefined;
  #onBeat: () => void = () => undefined;
  #busy = false;

  /** Loads the worker: best while the camera is still being opened, so that it is ready when the camera is. */
  constructor() {
    this.#worker = new Worker(new URL("./encoder.worker.ts", import.meta.url), { type: "module", name: "encoder" });
    this.works = new Promise((resolve) => (this.#settle = resolve));
    this.#releases.add(() => this.#settle(false));
    this.#releases.add(() => this.#worker.terminate());
  }

  /** A bitmap is being encoded; another would have to wait. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Gives it its source. Throws where that cannot be handed to a worker. */
  start(settings: EncoderSettings, source: Source, events: GrabberEvents, transfer: Transferable[] = []): void {
    this.#releases.listen<MessageEvent<FromWorker>>(this.#worker, "message", ({ data }) => this.#heard(data, events));
    this.#releases.listen<ErrorEvent>(this.#worker, "error", (event) => {
      this.#settle(false);
      events.onFailed(event.message || "the encoder could not be loaded");
    });
    this.#post({ type: "start", settings, source }, transfer);
  }

  encode(bitmap: ImageBitmap, capturedUs: number): void {
    this.#busy = true;
    this.#post({ type: "bitmap", bitmap, capturedUs }, [bitmap]);
  }

  configure(settings: EncoderSettings): void {
    this.#post({ type: "settings", settings }, []);
  }

  /** Calls `run` this often, in a hidden page too; `undefined` ends it. */
  beat(everyMs: number | undefined, run: () => void = () => undefined): void {
    this.#onBeat = run;
    this.#post({ type: "beat", everyMs }, []);
  }

  close(): void {
    this.#releases.close();
  }

  #heard(message: FromWorker, events: GrabberEvents): void {
    if (message.type === "beat") {
      this.#onBeat();
      return;
    }
    this.#busy = false;
    this.#settle(message.type === "frame");
    switch (message.type) {
      case "frame": {
        const { capturedUs, width, height, encodeMs } = message;
        events.onFrame({ jpeg: new Uint8Array(message.jpeg), capturedUs, width, height, encodeMs });
        break;
      }
      case "failed":
        events.onFailed(message.message);
        break;
      case "unsupported":
      case "ended": // The track's own `ended` event tells the page.
        break;
    }
  }

  #post(message: ToWorker, transfer: Transferable[]): void {
    this.#worker.postMessage(message, { transfer });
  }
}
