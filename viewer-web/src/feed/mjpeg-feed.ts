// Where no WebSocket can be opened: each camera's pictures as one answer that does not end. A browser lends a
// page six connections to a server, so only some cameras get one; the others take turns at a poll.

import { localNowUs, type ServerClock } from "@framecast/shared/clock";
import type { CameraInfo, Feed, FeedEvents, Interest, Refusal } from "./feed.ts";
import { Http, HttpError } from "./http.ts";
import { PartReader, type Part } from "./multipart.ts";
import { Polls, sized, type Wish } from "./polls.ts";
import { REFUSED_AGAIN_MS, Refusals } from "./refusals.ts";

/** Of six connections one is the list's and one the polls'. */
const STREAMS_AT_ONCE = 4;
const POLLS_AT_ONCE = 1;
/**
 * Behind its answer's header the server sends a picture at once. Where none comes within this, something on the way
 * collects answers before it passes them on.
 */
const STALLED_MS = 6_000;
/** The server waits up to 10.5 s for a camera that it connects to itself before it answers. */
const ANSWER_MS = 12_000;
/**
 * WebKit takes such answers apart by itself, for pictures in pages; a script gets the first one's header, and of its
 * bytes none. So many streams in a row that end so, with no picture yet, are no accident.
 */
const MOST_BROKEN = 2;
/** Before a stream that ended is opened again. */
const PAUSE_MS = 1_000;
/** The clock is measured this often, by a poll that does not wait. */
const CLOCK_EVERY_MS = 10_000;

/** An answer that is read, and how wide its pictures were asked for. */
interface Stream {
  abort: AbortController;
  width: number;
}

export class MjpegFeed implements Feed {
  readonly #clock: ServerClock;
  readonly #events: FeedEvents;
  readonly #http: Http;
  readonly #polls: Polls;
  readonly #refusals: Refusals;
  readonly #wanted = new Map<string, Interest>();
  readonly #streams = new Map<string, Stream>();
  #cameras: CameraInfo[] = [];
  /** Streams that broke off before the first picture of all; `undefined` once one came. */
  #broken: number | undefined = 0;

  constructor(clock: ServerClock, events: FeedEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#http = new Http({
      onUp: () => {
        clock.reset();
        events.onUp();
      },
      onDown: events.onDown,
      onCameras: (cameras) => {
        const first = this.#cameras.length === 0;
        events.onCameras(cameras);
        this.#cameras = cameras;
        if (first) this.#measureClock();
        this.#share();
      },
    });
    this.#refusals = new Refusals(events.onRefused);
    this.#polls = new Polls(this.#http, clock, POLLS_AT_ONCE, this.#refusals, events.onFrame);
    this.#http.releases.every(CLOCK_EVERY_MS, () => this.#measureClock());
  }

  shown(): void {
    // The server sees what HTTP takes.
  }

  want(camera: string, interest: Interest): void {
    this.#wanted.set(camera, interest);
    this.#share();
  }

  close(): void {
    this.#http.close();
  }

  /** Gives the streams to the first cameras in sight that are online, and polls to the rest. */
  #share(): void {
    if (this.#http.releases.closed) return;
    const wanted = (camera: string): Interest => this.#wanted.get(camera) ?? { visible: true, width: 0, fps: undefined };
    const streamed = new Set<string>();
    const rest = new Map<string, Wish>();
    for (const { camera, online } of this.#cameras) {
      const { visible, width } = wanted(camera);
      if (online && visible && streamed.size < STREAMS_AT_ONCE) streamed.add(camera);
      else rest.set(camera, { online, visible, width });
    }
    for (const [camera, stream] of this.#streams) if (!streamed.has(camera) || stream.width !== wanted(camera).width) this.#end(camera, stream);
    for (const camera of streamed) if (!this.#streams.has(camera)) this.#begin(camera, wanted(camera));
    this.#polls.set(rest);
  }

  #begin(camera: string, { width, fps }: Interest): void {
    const abort = new AbortController();
    const stream: Stream = { abort, width };
    this.#streams.set(camera, stream);
    let stalled: ReturnType<typeof setTimeout> | undefined;
    const within = (ms: number): void => {
      clearTimeout(stalled);
      stalled = setTimeout(() => this.#http.down("Something on the way to the server holds its pictures back.", "stalled"), ms);
    };
    const transport = this.#cameras.find((info) => info.camera === camera)?.transport;
    within(transport === "rtsp" || transport === "mjpeg" ? ANSWER_MS : STALLED_MS);
    abort.signal.addEventListener("abort", () => clearTimeout(stalled));
    this.#http.releases.add(() => abort.abort());
    let isAnswered = false;
    const query = { ...sized(width, fps), ...(fps === undefined ? {} : { max_fps: String(fps) }) };
    this.#read(camera, query, abort.signal, {
      onAnswer: () => {
        isAnswered = true;
        within(STALLED_MS);
      },
      onPicture: () => clearTimeout(stalled),
    })
      .catch((error: unknown) => this.#failed(error, isAnswered && !abort.signal.aborted))
      .then((refusal) => {
        clearTimeout(stalled);
        if (this.#streams.get(camera) !== stream) return;
        if (refusal !== undefined) this.#refusals.refused(camera, refusal);
        // A server that ends the stream at once must not be asked without end.
        this.#http.releases.after(refusal === undefined ? PAUSE_MS : REFUSED_AGAIN_MS, () => {
          this.#end(camera, stream);
          this.#share();
        });
      })
      .catch(() => undefined);
  }

  /** The refusal that it is, if it is one. */
  #failed(error: unknown, isBroken: boolean): Refusal | undefined {
    if (error instanceof HttpError) return error.refusal;
    if (isBroken && this.#broken !== undefined && ++this.#broken >= MOST_BROKEN) this.#http.down("This browser gives a page no pictures of an MJPEG stream.", "unable");
    return undefined;
  }

  #end(camera: string, stream: Stream): void {
    stream.abort.abort();
    if (this.#streams.get(camera) === stream) this.#streams.delete(camera);
  }

  async #read(camera: string, query: Record<string, string>, signal: AbortSignal, { onAnswer, onPicture }: { onAnswer: () => void; onPicture: () => void }): Promise<undefined> {
    const response = await this.#http.get(`api/cameras/${encodeURIComponent(camera)}/stream.mjpeg`, query, signal);
    this.#refusals.over(camera);
    onAnswer();
    const body = response.body?.getReader();
    if (body === undefined) return undefined;
    const parts = new PartReader();
    let newest: bigint | undefined;
    for (;;) {
      const { value, done } = await body.read();
      if (done || signal.aborted) return undefined;
      for (const part of parts.push(value)) {
        onPicture();
        if (this.#broken !== undefined) this.#events.onStreamed?.();
        this.#broken = undefined;
        const about = stamps(part);
        // A picture that stays comes again each 4 s. Its age would count as time on the way.
        if (about.seq > 0n && about.seq === newest) continue;
        newest = about.seq;
        this.#events.onFrame({ camera, ...about, width: 0, height: 0, jpeg: part.body });
      }
    }
  }

  #measureClock(): void {
    const camera = this.#cameras[0]?.camera;
    if (camera === undefined) return;
    const askedUs = localNowUs();
    this.#http.get(`api/cameras/${encodeURIComponent(camera)}/frame.jpg`).then(
      async (response) => {
        const number = (name: string): number => Number(response.headers.get(name) ?? "0") || 0;
        this.#clock.addSample(askedUs, number("X-Framecast-Received-Us") + number("X-Framecast-Age-Ms") * 1000);
        // Read to its end, so that the connection is free again.
        await response.arrayBuffer();
      },
    ).catch(() => undefined);
  }
}

function stamps({ headers }: Part): { seq: bigint; capturedUs: number; receivedUs: number } {
  const number = (name: string): number => Number(headers.get(name) ?? "0") || 0;
  const seq = headers.get("x-framecast-seq") ?? "";
  return { seq: /^\d{1,20}$/.test(seq) ? BigInt(seq) : 0n, capturedUs: number("x-framecast-captured-us"), receivedUs: number("x-framecast-received-us") };
}
