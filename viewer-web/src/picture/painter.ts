// From JPEG to pixels: one canvas, one decoding at a time, the newest frame next. Nothing here knows about
// cameras or networks.

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

/** Decodes a JPEG; replaced in tests. */
export type Decode = (jpeg: Uint8Array<ArrayBuffer>) => Promise<ImageBitmap>;

const decodeJpeg: Decode = (jpeg) => createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));

export class Painter<T> {
  readonly canvas: HTMLCanvasElement;
  readonly #events: PainterEvents<T>;
  readonly #decode: Decode;
  #decoding = false;
  #next: PaintJob<T> | undefined;
  #closed = false;

  constructor(canvas: HTMLCanvasElement, events: PainterEvents<T>, decode: Decode = decodeJpeg) {
    this.canvas = canvas;
    this.#events = events;
    this.#decode = decode;
  }

  /** Shows the picture as soon as may be; what was waiting is overtaken. */
  offer(job: PaintJob<T>): void {
    if (this.#closed) return;
    if (this.#next !== undefined) this.#events.onSkipped(this.#next.about);
    this.#next = job;
    if (!this.#decoding) this.#work().catch(() => undefined);
  }

  close(): void {
    this.#closed = true;
    this.#next = undefined;
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
    if (this.#closed) {
      bitmap.close();
      return;
    }
    const { width, height } = bitmap;
    // Hands the decoded picture over instead of drawing it once more, and the canvas takes its size.
    this.canvas.getContext("bitmaprenderer")?.transferFromImageBitmap(bitmap);
    this.#events.onShown(about, width, height);
  }
}
