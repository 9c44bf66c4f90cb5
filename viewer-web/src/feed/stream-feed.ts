// All cameras over one WebSocket: docs/protocol.md, "Streaming WebSocket".

import { webSocketUrl } from "@framecast/shared/address";
import type { ServerClock } from "@framecast/shared/clock";
import { Pinger } from "@framecast/shared/pinger";
import { Releases } from "@framecast/shared/releases";
import { parseFrame } from "@framecast/shared/wire/frame";
import { asText, parseMessage, type Message } from "@framecast/shared/wire/json";
import { sentence } from "@framecast/shared/words";
import { readCamera, readCameras, readServed, type Feed, type FeedEvents, type Interest } from "./feed.ts";

/** A server that does not accept a connection within this time counts as not reached. */
const CONNECT_MS = 6_000;

export class StreamFeed implements Feed {
  readonly #socket: WebSocket;
  readonly #clock: ServerClock;
  readonly #events: FeedEvents;
  readonly #releases = new Releases();
  #pinger: Pinger | undefined;
  #up = false;
  #error: string | undefined;

  constructor(clock: ServerClock, events: FeedEvents) {
    this.#clock = clock;
    this.#events = events;
    const socket = new WebSocket(webSocketUrl("stream?cameras=*", import.meta.env.VITE_VIEW_URL, location.href));
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#releases.add(() => socket.close(1000));
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
    const wish = visible ? { type: "subscribe", camera, max_fps: fps, width, quality: "auto" } : { type: "unsubscribe", camera };
    this.#send(JSON.stringify(wish));
  }

  close(): void {
    this.#releases.close();
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
      if (parsed.ok) this.#events.onFrame(parsed.frame);
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
      case "gone":
        this.#events.onGone(asText(message["camera"]) ?? "");
        return;
      case "pong":
        this.#pinger?.pong(message["t"], message["server_us"]);
        return;
      case "error":
        this.#error = sentence(asText(message["message"]) ?? "");
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
