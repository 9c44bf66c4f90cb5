// The encoder: pictures in, JPEG out, away from the page's thread so that neither layout nor a hidden tab's
// slow timers hold a frame up. One picture at a time; while it is being encoded the camera's newest waits
// in a buffer of one, and older ones are gone.

import { localNowUs } from "@framecast/shared/clock";
import { Pacer } from "@framecast/shared/pacer";
import { CaptureTime } from "./capture-time.ts";
import { fit, type EncoderSettings } from "./encoded.ts";
import { trackProcessor, type FromWorker, type Source, type ToWorker } from "./worker-messages.ts";

const post = (message: FromWorker, transfer: Transferable[] = []): void => self.postMessage(message, { transfer });

/** Set once it is known; until then frames are drawn. */
let copies = false;

/** What frames have in browsers that TypeScript's libraries do not know yet: how they are to be turned when shown. */
type Turned = VideoFrame & { rotation?: number; flip?: boolean };

class JpegEncoder {
  settings: EncoderSettings;
  #canvas: OffscreenCanvas | undefined;
  #context: OffscreenCanvasRenderingContext2D | undefined;
  #pixels: ImageData | undefined;

  constructor(settings: EncoderSettings) {
    this.settings = settings;
  }

  /** Encodes and posts one picture, and closes it. */
  async encode(picture: VideoFrame | ImageBitmap, capturedUs: number): Promise<void> {
    const startMs = performance.now();
    const { canvas, width, height } = await this.#draw(picture);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: this.settings.quality });
    const jpeg = await blob.arrayBuffer();
    post({ type: "frame", jpeg, capturedUs, width, height, encodeMs: performance.now() - startMs }, [jpeg]);
  }

  /** Closes the picture whatever happens: a camera lends only a few, and stands still when none comes back. */
  async #draw(picture: VideoFrame | ImageBitmap): Promise<{ canvas: OffscreenCanvas; width: number; height: number }> {
    try {
      // Browsers that can only give bitmaps may not even know what a VideoFrame is.
      const isFrame = "displayWidth" in picture;
      const natural = isFrame ? { width: picture.displayWidth, height: picture.displayHeight } : picture;
      const { width, height } = fit(natural.width, natural.height, this.settings);
      const canvas = this.#sized(width, height);
      const copied = isFrame && (await this.#copied(picture, width, height));
      if (!copied) this.#context?.drawImage(picture, 0, 0, width, height);
      return { canvas, width, height };
    } finally {
      picture.close();
    }
  }

  /** Takes the pixels as they are, where they need neither scaling nor turning: half the work of drawing them. */
  async #copied(frame: Turned, width: number, height: number): Promise<boolean> {
    const { visibleRect, rotation = 0, flip = false } = frame;
    const asShown = rotation === 0 && !flip && visibleRect?.width === width && visibleRect.height === height;
    if (!copies || !asShown) return false;
    if (this.#pixels?.width !== width || this.#pixels.height !== height) this.#pixels = new ImageData(width, height);
    try {
      await frame.copyTo(this.#pixels.data, { format: "RGBA" });
    } catch {
      return false; // A frame whose pixels are not in main memory, for one.
    }
    this.#context?.putImageData(this.#pixels, 0, 0);
    return true;
  }

  #sized(width: number, height: number): OffscreenCanvas {
    if (this.#canvas?.width === width && this.#canvas.height === height) return this.#canvas;
    this.#canvas = new OffscreenCanvas(width, height);
    // Each picture is read back exactly once: keeping it in main memory took 1.5 ms a VGA frame instead of 6.
    this.#context = this.#canvas.getContext("2d", { alpha: false, willReadFrequently: true }) ?? undefined;
    return this.#canvas;
  }
}

async function encodeStream(frames: ReadableStream<VideoFrame>, encoder: JpegEncoder, pacer: Pacer): Promise<void> {
  const captureTime = new CaptureTime();
  const reader = frames.getReader();
  for (;;) {
    const { value: frame, done } = await reader.read();
    if (done) break;
    const capturedUs = captureTime.of(frame.timestamp, localNowUs());
    if (pacer.take(capturedUs / 1000)) await encoder.encode(frame, capturedUs);
    else frame.close();
  }
  post({ type: "ended" });
}

/** The first encoding of a worker takes several times as long as the next; it is not to be a camera's. */
async function warmUp(): Promise<void> {
  const canvas = new OffscreenCanvas(16, 16);
  canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  await canvas.convertToBlob({ type: "image/jpeg" });
}

/** Whether this browser gives a frame's pixels as RGBA. Older ones take no notice of `format` and give them as they are. */
async function copiesPixels(): Promise<boolean> {
  if (typeof VideoFrame !== "function") return false;
  const blue = new VideoFrame(new Uint8Array([255, 0, 0, 0]), { format: "BGRX", codedWidth: 1, codedHeight: 1, timestamp: 0 });
  const pixels = new Uint8Array(4);
  try {
    await blue.copyTo(pixels, { format: "RGBA" });
  } finally {
    blue.close();
  }
  return pixels[0] === 0 && pixels[2] === 255;
}

let encoder: JpegEncoder | undefined;
let pacer: Pacer | undefined;
let beat: ReturnType<typeof setInterval> | undefined;

async function receive(message: ToWorker): Promise<void> {
  switch (message.type) {
    case "bitmap":
      await encoder?.encode(message.bitmap, message.capturedUs);
      return;
    case "settings":
      if (encoder !== undefined) encoder.settings = message.settings;
      if (pacer !== undefined) pacer.fps = message.settings.fps;
      return;
    case "beat":
      clearInterval(beat);
      beat = message.everyMs === undefined ? undefined : setInterval(() => post({ type: "beat" }), message.everyMs);
      return;
    case "start":
      await start(message.settings, message.source);
  }
}

async function start(settings: EncoderSettings, source: Source): Promise<void> {
  encoder = new JpegEncoder(settings);
  if (source === "bitmaps") return;
  pacer = new Pacer(settings.fps);
  if ("frames" in source) {
    await encodeStream(source.frames, encoder, pacer);
    return;
  }
  const Processor = trackProcessor(self);
  if (Processor === undefined) post({ type: "unsupported" });
  else await encodeStream(new Processor({ track: source.track, maxBufferSize: 1 }).readable, encoder, pacer);
}

self.addEventListener("message", (event: MessageEvent<ToWorker>) => {
  receive(event.data).catch((error: unknown) => post({ type: "failed", message: String(error) }));
});
warmUp().catch(() => undefined);
copiesPixels()
  .then((answer) => (copies = answer))
  .catch(() => undefined);
