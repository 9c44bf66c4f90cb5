// From JPEG to pixels: one canvas, one decoding at a time, the newest frame next. Nothing here knows about
// cameras, networks, or which thread it is on.

/** A picture to show; `T` is whatever the owner wants back when it is on the screen. */
export interface PaintJob<T> {
  jpeg: Uint8Array<ArrayBuffer>;
  about: T;
}

export interface PainterEvents<T> {
  onShown: (about: T, width: number, height: number) => void;
  /** A frame that a newer one overtook while another was being decoded. */
  onSkipped: (about: T) => void;
  /** The browser could not decode a frame. */
  onBroken: (about: T) => void;
}

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** Decodes a JPEG; replaced in tests. */
export type Decode = (jpeg: Uint8Array<ArrayBuffer>) => Promise<ImageBitmap>;

/**
 * Browsers decode this off the page's thread. Measured with 57 KB VGA and 116 KB 720p pictures, arrival to
 * painted: 4.0 and 7.6 ms this way, no better with `ImageDecoder` (4.4, 9.1) or in a worker with its own
 * canvas (4.5, 6.3 to 8.2). The worker is for the page's sake; see docs/decisions.md.
 */
const decodeJpeg: Decode = (jpeg) => createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));

export type PaintTarget = HTMLCanvasElement | OffscreenCanvas;

export class Painter<T> {
  readonly #events: PainterEvents<T>;
  readonly #decode: Decode;
  #canvas: PaintTarget | undefined;
  #context: Context | null = null;
  #decoding = false;
  #next: PaintJob<T> | undefined;
  #closed = false;

  constructor(events: PainterEvents<T>, decode: Decode = decodeJpeg) {
    this.#events = events;
    this.#decode = decode;
  }

  /** Draws there from now on. Until the first canvas comes, the newest picture waits. */
  drawOn(canvas: PaintTarget): void {
    this.#canvas = canvas;
    // Desynchronized: on the screen without waiting for the rest of the page, where the browser can.
    this.#context = canvas.getContext("2d", { alpha: false, desynchronized: true }) as Context | null;
    this.#begin();
  }

  /** Shows the picture as soon as may be; what was waiting is overtaken. */
  offer(job: PaintJob<T>): void {
    if (this.#closed) return;
    if (this.#next !== undefined) this.#events.onSkipped(this.#next.about);
    this.#next = job;
    this.#begin();
  }

  close(): void {
    this.#closed = true;
    this.#next = undefined;
  }

  #begin(): void {
    if (!this.#decoding && this.#canvas !== undefined) this.#work().catch(() => undefined);
  }

  async #work(): Promise<void> {
    this.#decoding = true;
    while (this.#next !== undefined) {
      const { jpeg, about } = this.#next;
      this.#next = undefined;
      try {
        this.#paint(await this.#decode(jpeg), about);
      } catch {
        this.#events.onBroken(about);
      }
    }
    this.#decoding = false;
  }

  #paint(bitmap: ImageBitmap, about: T): void {
    const canvas = this.#canvas;
    if (this.#closed || canvas === undefined) {
      bitmap.close();
      return;
    }
    const { width, height } = bitmap;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    this.#context?.drawImage(bitmap, 0, 0);
    bitmap.close();
    this.#events.onShown(about, width, height);
  }
}
