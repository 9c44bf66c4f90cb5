// Puts one picture after the other on a canvas; the newest wins.

export class Screen {
  #canvas: HTMLCanvasElement | null = null;
  #next: Blob | undefined;
  #working = false;

  attach(canvas: HTMLCanvasElement | null): void {
    this.#canvas = canvas;
    if (canvas !== null && this.#next !== undefined) this.show(this.#next);
  }

  show(picture: Blob): void {
    this.#next = picture;
    if (!this.#working && this.#canvas !== null) this.#work().catch(() => undefined);
  }

  async #work(): Promise<void> {
    this.#working = true;
    while (this.#next !== undefined) {
      const picture = this.#next;
      this.#next = undefined;
      // A picture that the browser cannot decode leaves the one before it on the screen.
      const bitmap = await createImageBitmap(picture).catch(() => undefined);
      if (bitmap !== undefined) this.#draw(bitmap);
      bitmap?.close();
    }
    this.#working = false;
  }

  #draw(bitmap: ImageBitmap): void {
    const canvas = this.#canvas;
    if (canvas === null) return;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    canvas.getContext("2d", { alpha: false })?.drawImage(bitmap, 0, 0);
  }
}
