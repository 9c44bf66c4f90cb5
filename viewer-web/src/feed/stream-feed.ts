// All cameras over one WebSocket: docs/protocol.md, "Streaming WebSocket".

import { webSocketUrl } from "@framecast/shared/address";
import type { ServerClock } from "@framecast/shared/clock";
import { Pinger } from "@framecast/shared/pinger";
import { Releases } from "@framecast/shared/releases";
import { parseFrame } from "@framecast/shared/wire/frame";
import { asText, parseMessage, type Message } from "@framecast/shared/wire/json";
import { sentence } from "@framecast/shared/words";
import { readCamera, readCameras, readServed, type Feed, type FeedEvents, type Interest } from "./feed.ts";
import { readRefusal, REFUSED_AGAIN_MS, Refusals } from "./refusals.ts";

/** A server that does not accept a connection within this time counts as not reached. */
const CONNECT_MS = 6_000;
/** A refusal comes at once; after this long without one the camera may be watched. */
const ACCEPTED_MS = 2_000;

export class StreamFeed implements Feed {
  readonly #socket: WebSocket;
  readonly #clock: ServerClock;
  readonly #events: FeedEvents;
  readonly #releases = new Releases();
  readonly #refusals: Refusals;
  /** Cameras that are asked for again, in their own time. */
  readonly #again = new Map<string, ReturnType<typeof setTimeout>>();
  /** Of cameras in sight. */
  readonly #wishes = new Map<string, string>();
  #pinger: Pinger | undefined;
  #up = false;
  #error: string | undefined;

  constructor(clock: ServerClock, events: FeedEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#refusals = new Refusals(events.onRefused);
    const socket = new WebSocket(webSocketUrl("stream?cameras=*", import.meta.env.VITE_VIEW_URL, location.href));
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#releases.add(() => socket.close(1000));
    this.#releases.add(() => this.#again.forEach((timer) => clearTimeout(timer)));
    this.#releases.listen(socket, "open", () => this.#opened());
    this.#releases.listen<MessageEvent<unknown>>(socket, "message", ({ data }) => this.#heard(data));
    this.#releases.listen<CloseEvent>(socket, "close", ({ code }) => this.#closed(code));
    this.#releases.after(CONNECT_MS, () => {
      if (!this.#up) this.#down("The server does not answer.");
    });
  }

  shown(camera: string, seq: bigint): void {
    // Written by hand: JSON.stringify refuses a bigint, and a number would lose digits.
    this.#send(`{"type":"ack","camera":${JSON.stringify(camera)},"seq":${seq}}`);
  }

  want(camera: string, { visible, width, fps }: Interest): void {
    // Without `max_fps` the server's own limit holds, also for a subscription that had one.
    const wish = JSON.stringify(visible ? { type: "subscribe", camera, max_fps: fps, width, quality: "auto" } : { type: "unsubscribe", camera });
    if (visible) this.#wishes.set(camera, wish);
    else this.#forget(camera);
    this.#send(wish);
  }

  close(): void {
    this.#releases.close();
  }

  #forget(camera: string): void {
    clearTimeout(this.#again.get(camera));
    this.#again.delete(camera);
    this.#wishes.delete(camera);
    this.#refusals.over(camera);
  }

  /** As many watch the camera as may. */
  #refused(camera: string, error: Message): void {
    const refusal = readRefusal(error);
    if (refusal !== undefined) this.#refusals.refused(camera, refusal);
    this.#in(REFUSED_AGAIN_MS, camera, () => {
      const wish = this.#wishes.get(camera);
      if (wish !== undefined) this.#send(wish);
      this.#in(ACCEPTED_MS, camera, () => this.#refusals.over(camera));
    });
  }

  /** Instead of what was to be done with the camera before. */
  #in(milliseconds: number, camera: string, run: () => void): void {
    clearTimeout(this.#again.get(camera));
    this.#again.set(camera, setTimeout(run, milliseconds));
  }

  #send(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  #opened(): void {
    this.#up = true;
    this.#clock.reset();
    const pinger = new Pinger(this.#clock, (text) => this.#send(text), () => this.#down("The server has gone silent."));
    this.#pinger = pinger;
    this.#releases.add(() => pinger.close());
    this.#events.onUp();
  }

  #heard(data: unknown): void {
    this.#pinger?.heard();
    if (data instanceof ArrayBuffer) {
      const parsed = parseFrame(data);
      // A server of tomorrow may send kinds that this page does not know; they are not for it.
      if (!parsed.ok) return;
      // Also a camera of which there is no place may be seen, while others watch it.
      this.#refusals.over(parsed.frame.camera);
      this.#events.onFrame(parsed.frame);
    } else if (typeof data === "string") {
      const message = parseMessage(data);
      if (message !== undefined) this.#understand(message);
    }
  }

  #understand(message: Message): void {
    switch (message["type"]) {
      case "hello":
        this.#events.onCameras(readCameras(message["cameras"]));
        return;
      case "camera": {
        const camera = readCamera(message);
        if (camera !== undefined) this.#events.onCamera(camera);
        return;
      }
      case "gone": {
        const camera = asText(message["camera"]) ?? "";
        this.#forget(camera);
        this.#events.onGone(camera);
        return;
      }
      case "pong":
        this.#pinger?.pong(message["t"], message["server_us"]);
        return;
      case "error":
        // What is said of one camera is no reason for the end of all.
        if (message["code"] === "at_capacity") this.#refused(asText(message["camera"]) ?? "", message);
        else this.#error = sentence(asText(message["message"]) ?? "");
        return;
      case "stats":
        this.#events.onServed(readServed(message["cameras"]));
        return;
      default: // What a newer server may say.
    }
  }

  #closed(code: number): void {
    if (!this.#up) this.#down("The server cannot be reached.");
    else if (code === 1001) this.#down("The server is shutting down.");
    else this.#down(this.#error || "The connection to the server was lost.");
  }

  #down(reason: string): void {
    if (this.#releases.closed) return;
    this.#releases.close();
    this.#events.onDown(reason, this.#up ? "lost" : "refused");
  }
}
