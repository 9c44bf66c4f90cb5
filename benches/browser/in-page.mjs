// What runs inside the pages that are measured: each function is handed to the browser as text, so none may
// use anything from outside itself but `globalThis.latency`, which `installClock` makes.
//
// All times are milliseconds of `performance.timeOrigin + performance.now()`: pages of one browser agree on
// it to some 0.2 ms.

/**
 * @typedef {object} LatencyTools
 * @property {() => number} now
 * @property {(context: CanvasRenderingContext2D) => void} draw Writes the clock into the top of a picture.
 * @property {(picture: CanvasImageSource) => number | undefined} read The clock in a picture, `undefined` where it is none.
 * @property {(locked: boolean) => MediaStream} camera Starts the camera: a canvas with the clock, 30 times a second.
 * @property {[capturedUs: number, atMs: number][]} sent
 * @property {[capturedUs: number, receivedUs: number, atMs: number][]} messages
 * @property {number[]} drawn
 * @property {[clockMs: number, atMs: number][]} seen
 * @property {number} unreadable Readings of the canvas that gave no clock.
 * @property {number} animationFrames
 */

/** @typedef {typeof globalThis & { latency: LatencyTools }} MeasuredPage */

/** The clock, as black and white blocks: 24 bits of 0.1 ms in Gray code, and 8 bits of check. */
export function installClock() {
  const BITS = 24;
  const BLOCK = 16;
  const STRIP = { width: 32 * BLOCK, height: 2 * BLOCK };
  const WRAP_MS = 2 ** BITS / 10;

  const now = () => performance.timeOrigin + performance.now();
  const check = (/** @type {number} */ value) => ((value * 2_654_435_761) >>> 8) & 0xff;

  const strip = document.createElement("canvas");
  strip.width = STRIP.width;
  strip.height = 1;
  const stripContext = strip.getContext("2d", { alpha: false, willReadFrequently: true });
  if (stripContext === null) throw new Error("no canvas");

  /** @type {LatencyTools["draw"]} */
  const draw = (context) => {
    const time = Math.round((now() % WRAP_MS) * 10) % 2 ** BITS;
    const word = [((time ^ (time >>> 1)) >>> 0).toString(2).padStart(BITS, "0"), check(time).toString(2).padStart(8, "0")].join("");
    context.fillStyle = "black";
    context.fillRect(0, 0, STRIP.width, STRIP.height);
    context.fillStyle = "white";
    [...word].forEach((bit, index) => bit === "1" && context.fillRect(index * BLOCK, 0, BLOCK, STRIP.height));
  };

  /** @type {LatencyTools["read"]} */
  const read = (picture) => {
    // One line through the middle of the blocks is all that is read back.
    stripContext.drawImage(picture, 0, BLOCK, STRIP.width, 1, 0, 0, STRIP.width, 1);
    const { data } = stripContext.getImageData(0, 0, STRIP.width, 1);
    let word = "";
    for (let block = 0; block < 32; block += 1) {
      const level = data[(block * BLOCK + BLOCK / 2) * 4 + 1] ?? 128;
      if (level > 64 && level < 192) return undefined;
      word += level >= 192 ? "1" : "0";
    }
    let time = Number.parseInt(word.slice(0, BITS), 2);
    for (const shift of [1, 2, 4, 8, 16]) time ^= time >>> shift;
    // A picture that is all black reads as time 0, which passes; no camera shows it twice in a measurement.
    if (Number.parseInt(word.slice(BITS), 2) !== check(time) || time === 0) return undefined;
    // The newest time that reads so.
    const nowMs = now();
    return nowMs - ((((nowMs - time / 10) % WRAP_MS) + WRAP_MS) % WRAP_MS);
  };

  const camera = (/** @type {boolean} */ locked) => {
    const canvas = document.createElement("canvas");
    canvas.width = 640;
    canvas.height = 480;
    const context = canvas.getContext("2d", { alpha: false });
    if (context === null) throw new Error("no canvas");
    // Something to compress: soft shapes and grain, about 40 kB as JPEG.
    const shades = context.createLinearGradient(0, 0, 640, 480);
    ["#203040", "#c0a080", "#406030", "#e0e8f0"].forEach((colour, index) => shades.addColorStop(index / 3, colour));
    context.fillStyle = shades;
    context.fillRect(0, 0, 640, 480);
    let seed = 1;
    for (let grain = 0; grain < 9_000; grain += 1) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      context.fillStyle = `hsl(${seed % 360} 50% ${20 + (seed % 61)}% / 0.35)`;
      context.fillRect((seed >>> 8) % 640, 40 + ((seed >>> 17) % 440), 3, 3);
    }
    // A camera knows nothing of the screen's beat. One that keeps 33.5 ms drifts through all of the screen's
    // phases in three seconds; locked to the animation frames, a picture would be a whole number of them old.
    let dueMs = performance.now();
    const tick = () => {
      draw(context);
      if (locked) {
        requestAnimationFrame(tick);
        return;
      }
      dueMs = Math.max(dueMs + 33.5, performance.now());
      setTimeout(tick, dueMs - performance.now());
    };
    tick();
    return locked ? canvas.captureStream(30) : canvas.captureStream();
  };

  /** @type {MeasuredPage} */ (globalThis).latency = { now, draw, read, camera, sent: [], messages: [], drawn: [], seen: [], unreadable: 0, animationFrames: 0 };

  const count = () => {
    /** @type {MeasuredPage} */ (globalThis).latency.animationFrames += 1;
    requestAnimationFrame(count);
  };
  requestAnimationFrame(count);
}

/** On the capture page: the camera is the clock's, and the sending of each frame's last part is noted. */
export function installSender(/** @type {{ locked: boolean }} */ { locked }) {
  const { latency } = /** @type {MeasuredPage} */ (globalThis);
  // The blank page before the real one has no cameras.
  if (!isSecureContext) return;
  navigator.mediaDevices.getUserMedia = () => Promise.resolve(latency.camera(locked));

  const note = (/** @type {unknown} */ message) => {
    if (!(message instanceof Uint8Array)) return;
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    const last = view.getUint16(2, true) + 1 === view.getUint16(4, true);
    if (last) latency.sent.push([Number(view.getBigUint64(20, true)), latency.now()]);
  };
  for (const { prototype } of [RTCDataChannel, WebSocket]) {
    const send = /** @type {(this: unknown, message: unknown) => void} */ (prototype.send);
    prototype.send = /** @type {typeof prototype.send} */ (
      /** @this {unknown} @param {unknown} message */ function (message) {
        note(message);
        send.call(this, message);
      }
    );
  }
}

/** On the viewer page: the coming of each frame is noted before the page hears of it, and each drawing. */
export function installReceiver() {
  const { latency } = /** @type {MeasuredPage} */ (globalThis);
  const { WebSocket } = globalThis;
  globalThis.WebSocket = class extends WebSocket {
    /** @param {string | URL} url @param {string | string[]} [protocols] */
    constructor(url, protocols) {
      super(url, protocols);
      this.addEventListener("message", ({ data }) => {
        if (!(data instanceof ArrayBuffer)) return;
        const atMs = latency.now();
        const view = new DataView(data);
        latency.messages.push([Number(view.getBigUint64(12, true)), Number(view.getBigUint64(20, true)), atMs]);
      });
    }
  };
  const draw = /** @type {(this: unknown, ...how: unknown[]) => void} */ (CanvasRenderingContext2D.prototype.drawImage);
  CanvasRenderingContext2D.prototype.drawImage = /** @this {unknown} @param {unknown[]} how */ function (...how) {
    draw.apply(this, how);
    if (how[0] instanceof ImageBitmap) latency.drawn.push(latency.now());
  };
}

/**
 * Reads the clock on the page's canvas in each animation frame, and notes when each picture is there first:
 * what is on the canvas then is what this frame puts on the screen.
 */
export function watchCanvas() {
  const { latency } = /** @type {MeasuredPage} */ (globalThis);
  let newestMs = 0;
  const tick = () => {
    requestAnimationFrame(tick);
    const canvas = document.querySelector("canvas");
    if (canvas === null || canvas.width < 640) return;
    const clockMs = latency.read(canvas);
    if (clockMs === undefined) latency.unreadable += 1;
    // The same clock reads a hair apart from one time to the next; pictures are 16 ms apart.
    else if (Math.abs(clockMs - newestMs) > 1) {
      newestMs = clockMs;
      latency.seen.push([clockMs, latency.now()]);
    }
  };
  requestAnimationFrame(tick);
}

/** Forgets what was noted until now. */
export function startNoting() {
  Object.assign(/** @type {MeasuredPage} */ (globalThis).latency, { sent: [], messages: [], drawn: [], seen: [], unreadable: 0, animationFrames: 0 });
}

/** What was noted since. */
export function noted() {
  const { sent, messages, drawn, seen, unreadable, animationFrames } = /** @type {MeasuredPage} */ (globalThis).latency;
  return { sent, messages, drawn, seen, unreadable, animationFrames };
}

/** @typedef {ReturnType<typeof noted>} Noted */

/**
 * The floor's sending side: the same camera, encoded as the capture page does it best (`worker`) or in the
 * plainest way (`page`), and handed to the other page by the browser itself.
 *
 * @param {{ encode: "worker" | "page", quality: number, locked: boolean }} how
 */
export async function startFloorSource({ encode, quality, locked }) {
  const { latency } = /** @type {MeasuredPage} */ (globalThis);
  const stream = latency.camera(locked);
  const channel = new BroadcastChannel("floor");
  const pass = (/** @type {ArrayBuffer} */ jpeg) => {
    latency.sent.push([0, latency.now()]);
    channel.postMessage(jpeg);
  };

  if (encode === "worker") {
    const Processor = /** @type {{ MediaStreamTrackProcessor: new (init: object) => { readable: ReadableStream } }} */ (/** @type {unknown} */ (globalThis)).MediaStreamTrackProcessor;
    const { readable } = new Processor({ track: stream.getVideoTracks()[0], maxBufferSize: 1 });
    const program = async () => {
      self.onmessage = async ({ data: { readable, quality } }) => {
        const canvas = new OffscreenCanvas(640, 480);
        const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
        const reader = readable.getReader();
        for (;;) {
          const { value: frame, done } = await reader.read();
          if (done) return;
          context?.drawImage(frame, 0, 0);
          frame.close();
          const blob = await canvas.convertToBlob({ type: "image/jpeg", quality });
          const jpeg = await blob.arrayBuffer();
          self.postMessage(jpeg, { transfer: [jpeg] });
        }
      };
    };
    const worker = new Worker(URL.createObjectURL(new Blob([`(${program})()`], { type: "text/javascript" })));
    worker.onmessage = ({ data }) => pass(data);
    worker.postMessage({ readable, quality }, { transfer: [/** @type {Transferable} */ (/** @type {unknown} */ (readable))] });
    return;
  }

  const video = document.createElement("video");
  video.muted = true;
  video.srcObject = stream;
  document.body.append(video);
  await video.play();
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = 480;
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  const next = () => {
    video.requestVideoFrameCallback(next);
    context?.drawImage(video, 0, 0);
    canvas.toBlob((blob) => void blob?.arrayBuffer().then(pass, () => undefined), "image/jpeg", quality);
  };
  video.requestVideoFrameCallback(next);
}

/** The floor's showing side. */
export function startFloorSink() {
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = 480;
  document.body.append(canvas);
  const context = canvas.getContext("2d", { alpha: false });
  const show = async (/** @type {ArrayBuffer} */ jpeg) => {
    const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
    context?.drawImage(bitmap, 0, 0);
    bitmap.close();
  };
  new BroadcastChannel("floor").onmessage = ({ data }) => void show(data);
}
