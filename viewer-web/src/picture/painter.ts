// From JPEG to pixels: one canvas, one decoding at a time, the newest frame next. Nothing here knows about
// cameras, networks, or which thread it is on.

import { decodeJpeg, type Decode, type Decoded } from "./decode.ts";

/** A picture to show; `T` is whatever the owner wants back when it is on the screen. */
export interface PaintJob<T> {
  jpeg: Uint8Array<ArrayBuffer>;
  about: T;
}

export interface PainterEvents<T> {
  /** With the picture's own size; it may be drawn smaller. */
  onShown: (about: T, width: number, height: number) => void;
  /** A frame that a newer one overtook while another was being decoded. */
  onSkipped: (about: T) => void;
  /** The browser could not decode a frame. */
  onBroken: (about: T) => void;
}

/** `again`: it is on the canvas already, in too few pixels. */
type Work<T> = PaintJob<T> & { again?: true };

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

export type PaintTarget = HTMLCanvasElement | OffscreenCanvas;

export class Painter<T> {
  readonly #events: PainterEvents<T>;
  readonly #decode: Decode;
  #canvas: PaintTarget | undefined;
  #context: Context | null = null;
  #decoding = false;
  #next: Work<T> | undefined;
  /** In device pixels. Whole pictures until somebody says. */
  #shownWidth = Infinity;
  /** On the canvas in fewer pixels than the picture has, for this width. */
  #coarse: { job: PaintJob<T>; shownWidth: number } | undefined;
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

  /** How wide pictures are shown from now on, in device pixels; they may be drawn as small. */
  showAs(width: number): void {
    this.#shownWidth = width;
    this.#sharpen();
    this.#begin();
  }

  /** Shows the picture as soon as may be; what was waiting is overtaken. */
  offer(job: PaintJob<T>): void {
    if (this.#closed) return;
    if (this.#next !== undefined && this.#next.again !== true) this.#events.onSkipped(this.#next.about);
    this.#next = job;
    this.#begin();
  }

  close(): void {
    this.#closed = true;
    this.#next = undefined;
    this.#coarse = undefined;
  }

  #begin(): void {
    if (!this.#decoding && this.#canvas !== undefined) this.#work().catch(() => undefined);
  }

  /** The last picture of a camera that sends no more would stay coarse. */
  #sharpen(): void {
    if (!this.#decoding && this.#coarse !== undefined && this.#coarse.shownWidth < this.#shownWidth) this.#next ??= { ...this.#coarse.job, again: true };
  }

  async #work(): Promise<void> {
    while (this.#next !== undefined) {
      const job = this.#next;
      this.#next = undefined;
      // What cannot be drawn again stays as it is.
      if (job.again === true) this.#coarse = undefined;
      this.#decoding = true;
      const shownWidth = this.#shownWidth;
      try {
        this.#paint(await this.#decode(job.jpeg, shownWidth), job, shownWidth);
      } catch {
        if (job.again !== true) this.#events.onBroken(job.about);
      }
      this.#decoding = false;
      this.#sharpen();
    }
  }

  #paint({ image, width, height, of }: Decoded, { jpeg, about, again }: Work<T>, shownWidth: number): void {
    const canvas = this.#canvas;
    if (this.#closed || canvas === undefined) {
      image.close();
      return;
    }
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    this.#context?.drawImage(image, 0, 0);
    image.close();
    this.#coarse = width < of.width ? { job: { jpeg, about }, shownWidth } : undefined;
    if (again !== true) this.#events.onShown(about, of.width, of.height);
  }
}
