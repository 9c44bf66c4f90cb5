// The JSON that a publisher and the server exchange, the same on the signaling and on the publish WebSocket:
// hello, ping and pong, feedback, replaced, error. What only signaling has (offer, answer, candidates) is in
// rtc-session.ts.

import type { ServerClock } from "@framecast/shared/clock";
import { Pinger } from "@framecast/shared/pinger";
import { Releases } from "@framecast/shared/releases";
import { asNumber, asText, parseMessage, type Message } from "@framecast/shared/wire/json";
import { sentence } from "@framecast/shared/words";
import type { Feedback, SessionEnd, Steps } from "./session.ts";

/** A server that does not accept a connection within this time counts as not reached. */
const CONNECT_MS = 6_000;

const TAKEN = "Another publisher took this camera.";

const CLOSE_REPLACED = 4001;
const CLOSE_REFUSED = 4000;

export interface TalkEvents {
  onReached: () => void;
  onFeedback: (feedback: Feedback) => void;
  onComplaint: (message: string) => void;
  onEnd: (end: SessionEnd) => void;
  /** Every message that is not understood here. */
  onOther: (message: Message) => void;
}

/** Codes after which the same attempt would fail again: the person has to change something. */
const HOPELESS: ReadonlySet<string> = new Set(["bad_camera_id", "forbidden_origin", "bad_request"]);

export class ServerTalk {
  readonly socket: WebSocket;
  readonly #events: TalkEvents;
  readonly #clock: ServerClock;
  readonly #releases = new Releases();
  #pinger: Pinger | undefined;
  #reachedMs: number | undefined;
  /** The newest `error`: a close that follows is explained by it. */
  #error: { code: string; message: string } | undefined;

  constructor(url: URL, clock: ServerClock, events: TalkEvents) {
    this.#events = events;
    this.#clock = clock;
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.#releases.add(() => socket.close(1000));
    this.#releases.listen(socket, "open", () => this.#opened());
    this.#releases.listen<MessageEvent<unknown>>(socket, "message", ({ data }) => this.#heard(data));
    this.#releases.listen<CloseEvent>(socket, "close", ({ code, reason }) => this.#closed(code, reason));
    this.#releases.after(CONNECT_MS, () => {
      if (this.#reachedMs === undefined) this.#end({ kind: "lost", message: "The server does not answer." });
    });
  }

  get reachedMs(): number | undefined {
    return this.#reachedMs;
  }

  get stage(): Steps["signaling"] {
    if (this.#releases.closed) return "closed";
    return this.#reachedMs === undefined ? "opening" : "open";
  }

  send(message: Message): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Says goodbye, so that the camera goes offline at once, and releases everything. */
  close(): void {
    this.send({ type: "bye" });
    this.#releases.close();
  }

  #opened(): void {
    this.#reachedMs = performance.now();
    // The offer goes first: the first picture waits for it, the clock can wait a millisecond.
    this.#events.onReached();
    if (this.#releases.closed) return;
    const pinger = new Pinger(
      this.#clock,
      (message) => this.socket.readyState === WebSocket.OPEN && this.socket.send(message),
      () => this.#end({ kind: "lost", message: "The server has gone silent." }),
    );
    this.#pinger = pinger;
    this.#releases.add(() => pinger.close());
  }

  #heard(data: unknown): void {
    this.#pinger?.heard();
    const message = typeof data === "string" ? parseMessage(data) : undefined;
    if (message === undefined) return;
    switch (message["type"]) {
      case "pong":
        if (typeof message["t"] === "number" && message["t"] >= 0) this.#pinger?.pong(message["t"], message["server_us"]);
        else this.#events.onOther(message);
        return;
      case "feedback":
        this.#events.onFeedback(readFeedback(message));
        return;
      case "replaced":
        this.#end({ kind: "replaced", message: sentence(asText(message["message"]) ?? TAKEN) });
        return;
      case "error":
        this.#erred(asText(message["code"]) ?? "", sentence(asText(message["message"]) ?? "The server refused a message."));
        return;
      default:
        this.#events.onOther(message);
    }
  }

  #erred(code: string, message: string): void {
    this.#error = { code, message };
    if (HOPELESS.has(code)) this.#end({ kind: "refused", message });
    else if (code === "replaced") this.#end({ kind: "replaced", message });
    else if (code === "webrtc_failed") this.#end({ kind: "no-channel", message });
    else this.#events.onComplaint(message);
  }

  #closed(code: number, reason: string): void {
    if (code === CLOSE_REPLACED) this.#end({ kind: "replaced", message: sentence(reason || TAKEN) });
    else if (code === CLOSE_REFUSED) this.#end({ kind: "refused", message: this.#error?.message ?? sentence(reason || "The server refused this camera.") });
    else if (this.#reachedMs === undefined) this.#end({ kind: "lost", message: "The server cannot be reached." });
    else if (code === 1001) this.#end({ kind: "lost", message: "The server is shutting down." });
    else this.#end({ kind: "lost", message: this.#error?.message ?? "The connection to the server was lost." });
  }

  #end(end: SessionEnd): void {
    if (this.#releases.closed) return;
    this.#releases.close();
    this.#events.onEnd(end);
  }
}

function readFeedback(message: Message): Feedback {
  return {
    received: asNumber(message["received"]) ?? 0,
    receivedFps: asNumber(message["received_fps"]) ?? 0,
    lost: asNumber(message["lost"]) ?? 0,
    refused: asNumber(message["refused"]) ?? 0,
    duplicates: asNumber(message["duplicates"]) ?? 0,
    ageMs: asNumber(message["age_ms"]),
  };
}
