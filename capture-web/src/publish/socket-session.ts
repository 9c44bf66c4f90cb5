// Publishing over the WebSocket `/publish/{camera}`: where no data channel opens. TCP delivers everything in
// order, so this session's care is to not let it fall behind.

import { webSocketUrl } from "@framecast/shared/address";
import type { ServerClock } from "@framecast/shared/clock";
import { asNumber } from "@framecast/shared/wire/json";
import type { EncodedFrame } from "../media/encoded.ts";
import { frameMessages, payloadLimit } from "./outgoing.ts";
import { FlightWindow, SendBudget } from "./send-budget.ts";
import { ServerTalk } from "./server-talk.ts";
import type { Publication, Session, SessionEvents, Steps } from "./session.ts";

export class SocketSession implements Session {
  readonly path = "websocket";
  readonly #talk: ServerTalk;
  readonly #clock: ServerClock;
  readonly #budget = new SendBudget();
  readonly #flights = new FlightWindow();
  #flight = 0;

  constructor(publication: Publication, clock: ServerClock, events: SessionEvents) {
    this.#clock = clock;
    const url = webSocketUrl(`publish/${encodeURIComponent(publication.camera)}`, import.meta.env.VITE_INGEST_URL, location.href);
    if (publication.name !== "") url.searchParams.set("name", publication.name);
    this.#talk = new ServerTalk(url, clock, {
      ...events,
      onReached: () => {
        events.onReached();
        events.onOpen();
      },
      onOther: (message) => {
        // Flights are numbered downwards from -1, so that their answers are never taken for clock samples:
        // they waited behind a frame.
        if (message["type"] === "pong") this.#flights.landed(asNumber(message["t"]) ?? 0, performance.now());
      },
    });
  }

  get reachedMs(): number | undefined {
    return this.#talk.reachedMs;
  }

  get steps(): Steps {
    return { signaling: this.#talk.stage, ice: undefined, channel: undefined };
  }

  get bufferedBytes(): number {
    return this.#talk.socket.bufferedAmount;
  }

  send(frame: EncodedFrame, seq: bigint): boolean {
    const { socket } = this.#talk;
    const nowMs = performance.now();
    if (socket.readyState !== WebSocket.OPEN || !this.#budget.allows(socket.bufferedAmount, nowMs) || !this.#flights.allows()) return false;
    const messages = frameMessages(frame, seq, this.#clock, payloadLimit(Infinity));
    for (const message of messages) socket.send(message);
    this.#budget.sent(messages, nowMs);
    this.#flight -= 1;
    this.#flights.sent(this.#flight, nowMs);
    this.#talk.send({ type: "ping", t: this.#flight });
    return true;
  }

  close(): void {
    this.#talk.close();
  }
}
