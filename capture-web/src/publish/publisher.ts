// Keeps one camera published: which way is taken, when to try again, when to give up. It gets frames and
// hands them to the session of the moment; it knows neither cameras nor the page.

import { Backoff } from "@framecast/shared/backoff";
import { ServerClock } from "@framecast/shared/clock";
import { Observable } from "@framecast/shared/observable";
import { Releases } from "@framecast/shared/releases";
import type { EncodedFrame } from "../media/encoded.ts";
import type { Delivery, Transport } from "../options.ts";
import { RtcSession } from "./rtc-session.ts";
import { NoSuchPath, type Feedback, type Path, type Publication, type Session, type SessionEnd, type SessionEvents, type Steps } from "./session.ts";
import { SocketSession } from "./socket-session.ts";
import type { PublishStats } from "./stats.ts";

export type PublisherState =
  | { phase: "idle" }
  /** The server has not been reached yet. */
  | { phase: "signaling"; path: Path }
  /** The server was reached; frames cannot be sent yet. */
  | { phase: "connecting"; path: Path }
  /** `note`: why this is not the way that was tried first. */
  | { phase: "live"; path: Path; note: string | undefined }
  /** `atMs`: when the next attempt starts, on `performance.now()`'s clock. */
  | { phase: "reconnecting"; reason: string; atMs: number }
  | { phase: "replaced"; reason: string }
  | { phase: "refused"; reason: string };

/** Makes a session; replaced in tests. */
export type OpenSession = (path: Path, events: SessionEvents) => Session;

/** A picture older than this is not worth sending when a path opens: the next one is about to come. */
const FRESH_US = 100_000;

export class Publisher {
  readonly state = new Observable<PublisherState>({ phase: "idle" });
  readonly feedback = new Observable<Feedback | undefined>(undefined);
  /** What the server last complained about while the stream went on. */
  readonly complaint = new Observable<string | undefined>(undefined);
  readonly clock: ServerClock;
  readonly #open: OpenSession;
  readonly #transport: Transport;
  readonly #stats: PublishStats;
  readonly #backoff = new Backoff();
  /** Of the present attempt, or the present wait. */
  #attempt = new Releases();
  #session: Session | undefined;
  #openedMs: number | undefined;
  #newest: EncodedFrame | undefined;
  #seq = 0n;

  constructor(transport: Transport, stats: PublishStats, clock: ServerClock, open: OpenSession) {
    this.#transport = transport;
    this.#stats = stats;
    this.clock = clock;
    this.#open = open;
  }

  /** A publisher over real sockets. */
  static connect(publication: Publication, transport: Transport, delivery: Delivery, stats: PublishStats): Publisher {
    const clock = new ServerClock();
    return new Publisher(transport, stats, clock, (path, events) =>
      path === "webrtc" ? new RtcSession(publication, delivery, clock, events) : new SocketSession(publication, clock, events),
    );
  }

  start(): void {
    this.#backoff.reset();
    this.#connect(this.#firstPath(), undefined);
  }

  /** Leaves the server and stops trying. */
  stop(): void {
    this.#attempt.close();
    this.#session = undefined;
    this.#newest = undefined;
    this.feedback.set(undefined);
    this.complaint.set(undefined);
    this.state.set({ phase: "idle" });
  }

  /** Tries now instead of after the wait: the network is back, or the person is impatient. */
  hurry(): void {
    if (this.state.value.phase === "reconnecting") this.#connect(this.#firstPath(), undefined);
  }

  /** Whether pictures are of use now: while waiting to reconnect they are not. */
  get wantsFrames(): boolean {
    return this.#session !== undefined;
  }

  /** How far the present attempt has come. */
  get steps(): Steps | undefined {
    return this.#session?.steps;
  }

  get bufferedBytes(): number {
    return this.#session?.bufferedBytes ?? 0;
  }

  /** Sends the frame, or skips it. While the path still opens, the newest is kept for its first moment. */
  offer(frame: EncodedFrame): void {
    if (this.state.value.phase === "live") this.#send(frame);
    else if (this.wantsFrames) this.#newest = frame;
  }

  #firstPath(): Path {
    return this.#transport === "websocket" ? "websocket" : "webrtc";
  }

  #connect(path: Path, note: string | undefined): void {
    this.#attempt.close();
    const attempt = new Releases();
    this.#attempt = attempt;
    this.#openedMs = undefined;
    this.feedback.set(undefined);
    this.state.set({ phase: "signaling", path });
    this.clock.reset();
    const session = this.#openOrRefuse(path, {
      onReached: () => this.state.set({ phase: "connecting", path }),
      onOpen: () => this.#opened(path, note),
      onFeedback: (feedback) => {
        // A complaint is over when a whole second went by without a refusal.
        if (feedback.refused === (this.feedback.value?.refused ?? 0)) this.complaint.set(undefined);
        this.feedback.set(feedback);
      },
      onComplaint: (message) => this.complaint.set(message),
      onEnd: (end) => this.#ended(path, end),
    });
    // Another path is being tried already.
    if (this.#attempt !== attempt) return;
    this.#session = session;
    attempt.add(() => session?.close());
  }

  /** Browsers throw where an address cannot be used at all, such as plain ws: from an https page, and some have no WebRTC. */
  #openOrRefuse(path: Path, events: SessionEvents): Session | undefined {
    try {
      return this.#open(path, events);
    } catch (error) {
      if (error instanceof NoSuchPath) {
        if (path === "webrtc" && this.#transport === "auto") this.#connect("websocket", error.message);
        else this.state.set({ phase: "refused", reason: error.message });
        return undefined;
      }
      this.state.set({ phase: "refused", reason: `The server's address cannot be used (${String(error)}).` });
      return undefined;
    }
  }

  #opened(path: Path, note: string | undefined): void {
    this.#openedMs = performance.now();
    this.#stats.opened(path, this.#session?.reachedMs);
    this.state.set({ phase: "live", path, note });
    const frame = this.#newest;
    this.#newest = undefined;
    const nowUs = (performance.timeOrigin + performance.now()) * 1000;
    if (frame !== undefined && nowUs - frame.capturedUs < FRESH_US) this.#send(frame);
  }

  #send(frame: EncodedFrame): void {
    if (this.#session?.send(frame, this.#seq + 1n) !== true) {
      this.#stats.skipped();
      return;
    }
    this.#seq += 1n;
    this.#stats.sent(frame.jpeg.byteLength);
  }

  #ended(path: Path, end: SessionEnd): void {
    this.#session = undefined;
    if (this.#openedMs !== undefined) this.#backoff.lived(performance.now() - this.#openedMs);
    switch (end.kind) {
      case "replaced":
      case "refused":
        this.#attempt.close();
        this.feedback.set(undefined);
        this.state.set({ phase: end.kind, reason: end.message });
        return;
      case "no-channel":
        // The server is there, only its UDP port is not: the WebSocket works at once.
        if (path === "webrtc" && this.#transport === "auto") this.#connect("websocket", end.message);
        else this.#wait(end.message);
        return;
      case "lost":
        this.#wait(end.message);
    }
  }

  #wait(reason: string): void {
    this.#attempt.close();
    const attempt = new Releases();
    this.#attempt = attempt;
    this.feedback.set(undefined);
    const waitMs = this.#backoff.next();
    this.state.set({ phase: "reconnecting", reason, atMs: performance.now() + waitMs });
    // WebRTC is tried first again: what blocked it may be gone, and the server may be another.
    attempt.after(waitMs, () => this.#connect(this.#firstPath(), undefined));
  }
}
