// Where the engine runs: in a worker with canvases of its own, or on the page where the browser cannot.

import { Engine } from "./engine.ts";
import type { Command, Picture, Word } from "./messages.ts";

/** `page` keeps everything on the page's own thread. */
export type Thread = "worker" | "page";

export class EngineHost {
  readonly thread: Thread;
  readonly #post: (command: Command, transfer: Transferable[]) => void;
  readonly #end: () => void;
  readonly #asked = new Map<number, (picture: Picture | undefined) => void>();
  #asks = 0;

  constructor(wanted: Thread, hear: (word: Exclude<Word, { say: "jpeg" }>) => void) {
    const heard = (word: Word): void => {
      if (word.say !== "jpeg") return hear(word);
      this.#asked.get(word.ask)?.(word.picture);
      this.#asked.delete(word.ask);
    };
    const worker = wanted === "worker" ? startWorker() : undefined;
    this.thread = worker === undefined ? "page" : "worker";
    if (worker === undefined) {
      const engine = new Engine(heard);
      this.#post = (command) => engine.obey(command);
      this.#end = () => engine.obey({ do: "stop" });
    } else {
      worker.addEventListener("message", ({ data }: MessageEvent<Word>) => heard(data));
      this.#post = (command, transfer) => worker.postMessage(command, transfer);
      this.#end = () => worker.terminate();
    }
  }

  tell(command: Command): void {
    this.#post(command, []);
  }

  /** Shows a picture that came another way; its bytes are the engine's from now on. */
  still(camera: string, picture: Picture): void {
    this.#post({ do: "still", camera, picture }, [picture.jpeg.buffer]);
  }

  /** The camera's pictures are drawn on this canvas from now on; it must be new. */
  draw(camera: string, element: HTMLCanvasElement): void {
    const canvas = this.thread === "worker" ? element.transferControlToOffscreen() : element;
    this.#post({ do: "draw", camera, canvas }, canvas instanceof HTMLCanvasElement ? [] : [canvas]);
  }

  /** The newest picture's own bytes; `undefined` where there is none. */
  picture(camera: string): Promise<Picture | undefined> {
    this.#asks += 1;
    const ask = this.#asks;
    return new Promise((resolve) => {
      this.#asked.set(ask, resolve);
      this.tell({ do: "jpeg", camera, ask });
    });
  }

  close(): void {
    this.#end();
    for (const resolve of this.#asked.values()) resolve(undefined);
    this.#asked.clear();
  }
}

function startWorker(): Worker | undefined {
  // Safari had canvases for workers without a 2D context at first.
  const canDraw = typeof OffscreenCanvas === "function" && "transferControlToOffscreen" in HTMLCanvasElement.prototype && new OffscreenCanvas(1, 1).getContext("2d") !== null;
  if (!canDraw || typeof Worker !== "function") return undefined;
  try {
    return new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  } catch {
    // A page hosted elsewhere whose policy forbids workers.
    return undefined;
  }
}
