// Publishing over WebRTC: an offer over the signaling WebSocket, frames over the data channel that the server
// opens. docs/protocol.md, "Channel", says why the server opens it.

import { webSocketUrl } from "@framecast/shared/address";
import type { ServerClock } from "@framecast/shared/clock";
import { Releases } from "@framecast/shared/releases";
import { asText, type Message } from "@framecast/shared/wire/json";
import type { EncodedFrame } from "../media/encoded.ts";
import type { Delivery } from "../options.ts";
import { BURST_BYTES, frameMessages, payloadLimit } from "./outgoing.ts";
import { Progress } from "./progress.ts";
import { SendBudget } from "./send-budget.ts";
import { ServerTalk } from "./server-talk.ts";
import { NoSuchPath, type Publication, type Session, type SessionEnd, type SessionEvents, type Steps } from "./session.ts";

/** A channel that opens takes some 50 ms on a near server; one that has not after this is blocked. */
const CHANNEL_MS = 2_000;
/** Browsers begin to try addresses some 20 ms after they know the server's and their own; a busy machine needs longer. */
const TRYING_MS = 700;
/** `disconnected` often mends itself within a second or two; the server gives up after 4 s. */
const DISCONNECTED_MS = 3_000;
/** A channel that closes may be the first that is heard of being replaced; the server says so within this time. */
const EXPLANATION_MS = 400;
/** What browsers assume where a peer announces nothing. */
const ASSUMED_MESSAGE_BYTES = 65_536;

const LIFETIME_MS = 150;

const CHANNELS: Readonly<Record<Delivery, Message>> = {
  lifetime: { max_packet_life_time_ms: LIFETIME_MS },
  "no-retransmit": { max_retransmits: 0 },
};

export class RtcSession implements Session {
  readonly path = "webrtc";
  readonly #talk: ServerTalk;
  readonly #clock: ServerClock;
  readonly #events: SessionEvents;
  readonly #releases = new Releases();
  readonly #peer: RTCPeerConnection;
  readonly #budget: SendBudget;
  readonly #progress = new Progress();
  #offer: RTCSessionDescriptionInit | undefined;
  #offered = false;
  #candidates: (RTCIceCandidateInit | null)[] = [];
  #channel: RTCDataChannel | undefined;
  #payloadLimit = payloadLimit(BURST_BYTES);
  /** Frames that were to be sent; a channel that is stuck takes none and still counts as tried. */
  #tried = 0;

  /** Throws `NoSuchPath` where the browser has no WebRTC: WebKitGTK as most build it, and Firefox where it is switched off. */
  constructor(publication: Publication, delivery: Delivery, clock: ServerClock, events: SessionEvents) {
    if (typeof RTCPeerConnection !== "function") throw new NoSuchPath("This browser has no WebRTC.");
    let peer: RTCPeerConnection;
    try {
      // No ICE servers: the server's own candidates are reachable or nothing is.
      peer = new RTCPeerConnection({ iceServers: [] });
    } catch (error) {
      throw new NoSuchPath(`This browser lets no page use WebRTC (${String(error)}).`);
    }
    this.#peer = peer;
    this.#releases.add(() => peer.close());
    this.#clock = clock;
    this.#events = events;
    this.#budget = new SendBudget(delivery === "lifetime" ? LIFETIME_MS : Infinity);
    this.#talk = new ServerTalk(webSocketUrl("signal", import.meta.env.VITE_INGEST_URL, location.href), clock, {
      onReached: () => {
        this.#sendOffer(publication, delivery);
        events.onReached();
        this.#releases.after(CHANNEL_MS, () => {
          if (this.#channel?.readyState !== "open") this.#end({ kind: "no-channel", message: "No WebRTC channel opened within 2 s." });
        });
      },
      onFeedback: (feedback) => {
        events.onFeedback(feedback);
        if (this.#progress.report(feedback, this.#tried)) this.#end({ kind: "no-channel", message: "The WebRTC channel carries nothing." });
      },
      onComplaint: events.onComplaint,
      onEnd: (end) => this.#end(end),
      onOther: (message) => this.#understand(message),
    });
    this.#releases.add(() => this.#talk.close());
    this.#watchPeer(peer);
    this.#prepareOffer(peer)
      .then(() => this.#sendOffer(publication, delivery))
      .catch((error: unknown) => this.#end({ kind: "no-channel", message: `This browser could not make a WebRTC offer (${String(error)}).` }));
  }

  get reachedMs(): number | undefined {
    return this.#talk.reachedMs;
  }

  get steps(): Steps {
    return { signaling: this.#talk.stage, ice: this.#peer.iceConnectionState, channel: this.#channel?.readyState ?? "awaited" };
  }

  get bufferedBytes(): number {
    return this.#channel?.bufferedAmount ?? 0;
  }

  send(frame: EncodedFrame, seq: bigint): boolean {
    this.#tried += 1;
    const channel = this.#channel;
    const nowMs = performance.now();
    if (channel?.readyState !== "open" || !this.#budget.allows(channel.bufferedAmount, nowMs)) return false;
    const messages = frameMessages(frame, seq, this.#clock, this.#payloadLimit);
    for (const message of messages) channel.send(message);
    this.#budget.sent(messages, nowMs);
    return true;
  }

  close(): void {
    this.#releases.close();
  }

  /** While the socket is still opening, so that the offer leaves the moment it is open. */
  async #prepareOffer(peer: RTCPeerConnection): Promise<void> {
    // Never used: it only makes the offer carry an application section.
    peer.createDataChannel("unused", { negotiated: true, id: 1000 });
    this.#offer = await peer.createOffer();
    await peer.setLocalDescription(this.#offer);
  }

  #sendOffer(publication: Publication, delivery: Delivery): void {
    if (this.#offered || this.#offer === undefined || this.reachedMs === undefined) return;
    this.#offered = true;
    this.#talk.send({
      type: "offer",
      camera: publication.camera,
      sdp: this.#offer.sdp,
      channel: CHANNELS[delivery],
      ...(publication.name === "" ? {} : { name: publication.name }),
    });
    for (const candidate of this.#candidates.splice(0)) this.#talk.send({ type: "candidate", candidate });
  }

  #watchPeer(peer: RTCPeerConnection): void {
    this.#releases.listen<RTCPeerConnectionIceEvent>(peer, "icecandidate", ({ candidate }) => {
      const found = candidate?.toJSON() ?? null;
      if (this.#offered) this.#talk.send({ type: "candidate", candidate: found });
      else this.#candidates.push(found);
    });
    this.#releases.listen<RTCDataChannelEvent>(peer, "datachannel", ({ channel }) => {
      if (channel.label === "frames") this.#useChannel(channel);
    });
    this.#releases.listen(peer, "connectionstatechange", () => {
      if (peer.connectionState === "failed") this.#end(this.#failure());
      if (peer.connectionState !== "disconnected") return;
      this.#releases.after(DISCONNECTED_MS, () => {
        if (peer.connectionState === "disconnected") this.#end(this.#failure());
      });
    });
  }

  /** A connection that once carried frames was lost; one that never did is blocked. */
  #failure(): SessionEnd {
    return this.#channel === undefined
      ? { kind: "no-channel", message: "WebRTC found no way to the server." }
      : { kind: "lost", message: "The WebRTC connection was lost." };
  }

  #useChannel(channel: RTCDataChannel): void {
    channel.binaryType = "arraybuffer";
    const opened = (): void => {
      if (this.#channel !== undefined) return;
      this.#channel = channel;
      this.#payloadLimit = payloadLimit(Math.min(this.#peer.sctp?.maxMessageSize ?? ASSUMED_MESSAGE_BYTES, BURST_BYTES));
      this.#events.onOpen();
    };
    this.#releases.listen(channel, "open", opened);
    this.#releases.listen(channel, "close", () => {
      // Two connections, no order between them: taking the camera back from whom the server is just about
      // to name would make both publishers fight over it.
      this.#releases.after(EXPLANATION_MS, () => this.#end({ kind: "lost", message: "The server closed the WebRTC channel." }));
    });
    if (channel.readyState === "open") opened();
  }

  #understand(message: Message): void {
    const sdp = message["type"] === "answer" ? asText(message["sdp"]) : undefined;
    if (sdp === undefined) return;
    this.#peer
      .setRemoteDescription({ type: "answer", sdp })
      .then(() => this.#expectTries(this.#peer))
      .catch((error: unknown) => this.#end({ kind: "no-channel", message: `The server's answer was not understood (${String(error)}).` }));
  }

  /** Firefox tries none of the server's addresses where that is only 127.0.0.1, and says nothing of it: no use to wait. */
  #expectTries(peer: RTCPeerConnection): void {
    const look = (): void => {
      if (peer.iceGatheringState !== "complete") return;
      this.#releases.after(TRYING_MS, () => {
        if (peer.iceConnectionState === "new") this.#end({ kind: "no-channel", message: "This browser uses none of the server's addresses for WebRTC." });
      });
    };
    this.#releases.listen(peer, "icegatheringstatechange", look);
    look();
  }

  #end(end: SessionEnd): void {
    if (this.#releases.closed) return;
    this.#releases.close();
    this.#events.onEnd(end);
  }
}
