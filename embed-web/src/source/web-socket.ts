// One camera over the streaming WebSocket: docs/protocol.md.

import type { ServerClock } from "@framecast/shared/clock";
import { Pinger } from "@framecast/shared/pinger";
import { Releases } from "@framecast/shared/releases";
import { parseFrame } from "@framecast/shared/wire/frame";
import { asText, parseMessage, type Message } from "@framecast/shared/wire/json";
import { sentence } from "@framecast/shared/words";
import { PATIENCE_MS, readPresence, type Ending, type Presence, type Source, type SourceEvents, type Wish } from "./source.ts";

/** "The request cannot be served": the error before it says why, and trying again does not help. */
const CANNOT_SERVE = 4000;

export class WebSocketSource implements Source {
  #wish: Wish;
  /** What the server was last asked for. */
  #asked: Wish;
  readonly #events: SourceEvents;
  readonly #socket: WebSocket;
  readonly #releases = new Releases();
  #pinger: Pinger | undefined;
  #error = "";
  #up = false;
  /** What `hello` said, until it is known whether the camera is refused. */
  #hello: Presence | undefined | null = null;

  /** Throws where the browser refuses the address, such as plain ws: from an https page. */
  constructor(wish: Wish, clock: ServerClock, events: SourceEvents) {
    this.#wish = this.#asked = wish;
    this.#events = events;
    const url = new URL("stream", wish.server);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("cameras", wish.camera);
    for (const [name, value] of Object.entries(asks(wish))) url.searchParams.set(name, String(value));
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#releases.add(() => socket.close(1000));
    this.#releases.listen(socket, "open", () => this.#opened(clock));
    this.#releases.listen<MessageEvent<unknown>>(socket, "message", ({ data }) => this.#heard(data));
    this.#releases.listen<CloseEvent>(socket, "close", ({ code }) => this.#closed(code));
    this.#releases.after(PATIENCE_MS, () => {
      if (!this.#up) this.#down("unreached", "The server does not answer.");
    });
  }

  shown(seq: bigint): void {
    this.#send(`{"type":"ack","camera":${JSON.stringify(this.#wish.camera)},"seq":${seq}}`);
  }

  resize(size: Wish["size"]): void {
    this.#wish = { ...this.#wish, size };
    this.#ask();
  }

  close(): void {
    this.#releases.close();
  }

  /** Also of what changed while the socket opened. */
  #ask(): void {
    if (this.#wish === this.#asked || this.#socket.readyState !== WebSocket.OPEN) return;
    this.#asked = this.#wish;
    this.#send(JSON.stringify({ type: "subscribe", camera: this.#wish.camera, ...asks(this.#wish) }));
  }

  #send(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  #opened(clock: ServerClock): void {
    clock.reset();
    const pinger = new Pinger(clock, (text) => this.#send(text), () => this.#down("lost", "The server has gone silent."));
    this.#pinger = pinger;
    this.#releases.add(() => pinger.close());
    this.#ask();
  }

  #heard(data: unknown): void {
    this.#pinger?.heard();
    if (data instanceof ArrayBuffer) {
      const parsed = parseFrame(data);
      if (!parsed.ok || parsed.frame.camera !== this.#wish.camera) return;
      this.#accepted();
      this.#events.onPicture(parsed.frame);
    } else if (typeof data === "string") {
      const message = parseMessage(data);
      if (message !== undefined) this.#understand(message);
    }
  }

  #understand(message: Message): void {
    switch (message["type"]) {
      case "hello": {
        // Also a refused page's socket opens; only a served one says hello.
        this.#up = true;
        const cameras: unknown = message["cameras"];
        const ours = Array.isArray(cameras) ? (cameras as Message[]).find((camera) => this.#isOurs(camera)) : undefined;
        this.#hello = ours === undefined ? undefined : readPresence(ours);
        return;
      }
      case "camera":
      case "gone":
        if (!this.#isOurs(message)) return;
        this.#accepted();
        this.#events.onPresence(message["type"] === "gone" ? undefined : readPresence(message));
        return;
      case "pong":
        // A refusal would have come before it.
        this.#accepted();
        this.#pinger?.pong(message["t"], message["server_us"]);
        return;
      case "error":
        this.#error = sentence(asText(message["message"]) ?? "");
        // This connection is for one camera, so there is nothing else to stay for.
        if (message["code"] === "at_capacity") this.#down("full", this.#error);
        return;
      default: // What a newer server may say.
    }
  }

  #accepted(): void {
    if (this.#hello === null) return;
    const presence = this.#hello;
    this.#hello = null;
    this.#events.onUp();
    this.#events.onPresence(presence);
  }

  #isOurs(message: Message): boolean {
    return message["camera"] === this.#wish.camera;
  }

  #closed(code: number): void {
    if (code === CANNOT_SERVE) this.#down("refused", this.#error);
    else if (!this.#up) this.#down("unreached", "The server cannot be reached.");
    else this.#down("lost", code === 1001 ? "The server is shutting down." : "The connection to the server was lost.");
  }

  #down(ending: Ending, reason: string): void {
    if (this.#releases.closed) return;
    this.#releases.close();
    this.#events.onDown(ending, reason);
  }
}

/** With a width the server chooses: that, or less while the link is too slow for it. */
function asks({ maxFps, size }: Wish): Record<string, string | number> {
  return { ...(typeof size === "number" ? { quality: "auto", width: size } : { quality: size }), ...(maxFps === undefined ? {} : { max_fps: maxFps }) };
}
