// One camera's video over WebRTC: from the offer to a stream, and how it ended. docs/whep.md.
//
// It tries once and knows no element and no other way to play: what to do about an ending is its owner's to
// decide, for which each says what may help.

import { Releases } from "@framecast/shared/releases";

/** What may help after an ending: another way to play, the same again later, or nothing. */
export type Remedy = "elsewhere" | "later" | "none";

export interface WhepEnding {
  /** The server's code (docs/protocol.md, *Errors*), or `no_webrtc`, `no_answer`, `unreachable`, `lost`. */
  code: string;
  /** In plain words. */
  message: string;
  remedy: Remedy;
  /** How long the server asks to wait before the next attempt. */
  retryAfterMs: number | undefined;
}

export interface WhepEvents {
  /** The server has answered the offer: no request waits any longer. */
  onAnswered?: () => void;
  /** The connection is up, and the stream brings pictures from now on. */
  onStream: (stream: MediaStream) => void;
  /** It has ended, once; not after `close`. */
  onDown: (ending: WhepEnding) => void;
}

/** What it takes from the browser; replaced in tests. */
export interface WhepTools {
  fetch: (url: URL, init: RequestInit) => Promise<Response>;
  connect: () => RTCPeerConnection;
}

/** A server behind a firewall that lets no UDP through is never heard of: then another way is to be tried soon. */
const CONNECT_MS = 4_000;
/** Browsers begin to try addresses some 20 ms after they know the server's and their own; a busy machine needs longer. */
const TRYING_MS = 700;
/** The server may wait 10 s for the first picture of a camera that it connects to only now. */
const ANSWER_MS = 15_000;
/** A server that is killed cannot say goodbye: its packets stop. Looked at this often; this long without is the end. */
const LOOK_MS = 500;
const SILENT_MS = 2_000;
/** Of a camera with a picture in seconds, and of a network that stutters, so many of its usual gaps are waited for. */
const SILENT_GAPS = 3;
/** Taken for usual at first: a camera's rate is not known yet. */
const FIRST_GAP_MS = 1_400;
/** How much of what was usual stays so with each look: after some seconds a gap is forgotten. */
const USUAL_SHARE = 0.9;
/** Browsers say `disconnected` also of a hiccup of the network. */
const LOST_AFTER_MS = 3_000;

const BROWSER: WhepTools = {
  fetch: (url, init) => fetch(url, init),
  connect: () => new RTCPeerConnection(),
};

export class Whep {
  readonly #url: URL;
  readonly #events: WhepEvents;
  readonly #tools: WhepTools;
  readonly #releases = new Releases();
  /** The wait of the moment, for the connection or for one that is disconnected. */
  #wait = new Releases();
  #isUp = false;

  /** Starts at once. `url` is `/whep/{camera}` of the view port. */
  constructor(url: URL, events: WhepEvents, tools: WhepTools = BROWSER) {
    this.#url = url;
    this.#events = events;
    this.#tools = tools;
    this.#releases.add(() => this.#wait.close());
    void this.#run();
  }

  /** Ends it without `onDown`, and tells the server, so that its place is free at once. */
  close(): void {
    this.#releases.close();
  }

  async #run(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      if (error instanceof Refusal) this.#down(error.ending);
      else this.#fail("no_answer", "later", `The server did not answer (${words(error)}).`);
    }
  }

  async #connect(): Promise<void> {
    const pc = this.#peer();
    this.#releases.add(() => pc.close());
    const { receiver } = pc.addTransceiver("video", { direction: "recvonly" });
    // As soon as they are decoded: a live picture is worth more than an even one.
    if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
    this.#releases.listen(pc, "connectionstatechange", () => this.#changed(pc, receiver));
    await pc.setLocalDescription();
    if (this.#releases.closed) return;
    const answer = await this.#ask(pc.localDescription?.sdp ?? "");
    if (this.#releases.closed) return;
    try {
      await pc.setRemoteDescription({ type: "answer", sdp: answer });
    } catch (error) {
      throw new Refusal({ code: "no_webrtc", message: `The browser cannot play this over WebRTC (${words(error)}).`, remedy: "elsewhere", retryAfterMs: undefined });
    }
    this.#expectTries(pc);
    // Tells sooner than the connection's state that the server has said goodbye.
    const transport = receiver.transport;
    if (transport !== null) {
      this.#releases.listen(transport, "statechange", () => {
        if (transport.state === "closed" || transport.state === "failed") this.#lost();
      });
    }
    if (!this.#isUp) {
      this.#wait.after(CONNECT_MS, () =>
        this.#fail("unreachable", "elsewhere", "The video's UDP packets do not come through from the server to here."));
    }
  }

  /** Firefox tries none of the server's addresses where that is only 127.0.0.1, and says nothing of it: no use to wait. */
  #expectTries(pc: RTCPeerConnection): void {
    const look = (): void => {
      if (pc.iceGatheringState !== "complete") return;
      this.#releases.after(TRYING_MS, () => {
        if (pc.iceConnectionState === "new") this.#fail("unreachable", "elsewhere", "The browser uses none of the server's addresses for WebRTC.");
      });
    };
    this.#releases.listen(pc, "icegatheringstatechange", look);
    look();
  }

  #peer(): RTCPeerConnection {
    try {
      return this.#tools.connect();
    } catch (error) {
      throw new Refusal({ code: "no_webrtc", message: `The browser has no WebRTC (${words(error)}).`, remedy: "elsewhere", retryAfterMs: undefined });
    }
  }

  /** Sends the offer. The server's addresses are in its answer and it learns ours by itself, so nothing trickles. */
  async #ask(offer: string): Promise<string> {
    // Taken back when closed: a browser has six connections a host over HTTP/1.1, and the server forgets a question
    // whose asker has hung up.
    const closed = new AbortController();
    this.#releases.add(() => closed.abort());
    const response = await this.#tools.fetch(this.#url, {
      method: "POST", headers: { "content-type": "application/sdp" }, body: offer, cache: "no-store",
      signal: AbortSignal.any([closed.signal, AbortSignal.timeout(ANSWER_MS)]),
    });
    // Before the rest of the answer, as that may be cut off: the session has to be ended all the same.
    const session = response.status === 201 ? sessionUrl(this.#url, response.headers.get("location")) : undefined;
    if (session !== undefined) this.#releases.add(() => this.#leave(session));
    const text = await response.text();
    if (response.status !== 201) throw new Refusal(readRefusal(response, text));
    if (!this.#releases.closed) this.#events.onAnswered?.();
    return text;
  }

  #leave(session: URL): void {
    // `keepalive`: also when the page is being left.
    this.#tools.fetch(session, { method: "DELETE", keepalive: true }).catch(() => {
      // The server notices by itself.
    });
  }

  #changed(pc: RTCPeerConnection, receiver: RTCRtpReceiver): void {
    this.#wait.close();
    this.#wait = new Releases();
    switch (pc.connectionState) {
      case "connected":
        if (this.#isUp) break;
        this.#isUp = true;
        this.#listen(receiver);
        this.#events.onStream(new MediaStream([receiver.track]));
        break;
      case "disconnected":
        this.#wait.after(LOST_AFTER_MS, () => this.#lost());
        break;
      case "failed":
      case "closed":
        this.#lost();
        break;
      case "new":
      case "connecting":
        this.#wait.after(CONNECT_MS, () => this.#lost());
        break;
    }
  }

  /** Ends it when packets stop: the camera or the server has, and who asks anew learns why. */
  #listen(receiver: RTCRtpReceiver): void {
    let received = -1;
    let heardMs = performance.now();
    let usualGapMs = FIRST_GAP_MS;
    this.#releases.every(LOOK_MS, () => {
      receiver.getStats().then((stats) => {
        const now = packetsOf(stats);
        const gapMs = performance.now() - heardMs;
        if (now !== received) {
          received = now;
          heardMs = performance.now();
          usualGapMs = Math.max(gapMs, usualGapMs * USUAL_SHARE);
        } else if (gapMs >= Math.max(SILENT_MS, SILENT_GAPS * usualGapMs)) this.#fail("lost", "later", "The video has stopped coming.");
      }, () => this.#lost());
    });
  }

  #lost(): void {
    if (this.#isUp) this.#fail("lost", "later", "The video connection was lost.");
    else this.#fail("unreachable", "elsewhere", "No video connection to the server came about.");
  }

  #fail(code: string, remedy: Remedy, message: string): void {
    this.#down({ code, message, remedy, retryAfterMs: undefined });
  }

  #down(ending: WhepEnding): void {
    if (this.#releases.closed) return;
    this.#releases.close();
    this.#events.onDown(ending);
  }
}

class Refusal extends Error {
  readonly ending: WhepEnding;

  constructor(ending: WhepEnding) {
    super(ending.message);
    this.ending = ending;
  }
}

/** What the server's refusal says. */
export function readRefusal(response: Response, text: string): WhepEnding {
  let code = `http_${response.status}`;
  let message = `The server answered ${response.status}.`;
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown } };
    if (typeof error?.code === "string") code = error.code;
    if (typeof error?.message === "string") message = error.message;
  } catch {
    // Not this server's words, but a proxy's.
  }
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : undefined;
  return { code, message, remedy: remedyOf(code, response.status), retryAfterMs };
}

function remedyOf(code: string, status: number): Remedy {
  if (code === "unknown_camera" || code === "bad_camera_id") return "none";
  return status >= 500 || status === 429 ? "later" : "elsewhere";
}

/** The session's address. Only its name is taken from the answer: a proxy may serve us below a path that the server does not know. */
export function sessionUrl(whep: URL, location: string | null): URL | undefined {
  const name = location?.split(/[?#]/)[0]?.split("/").filter((part) => part !== "").at(-1);
  if (name === undefined) return undefined;
  const url = new URL(whep);
  url.pathname = `${whep.pathname.replace(/\/$/, "")}/${name}`;
  return url;
}

function packetsOf(stats: RTCStatsReport): number {
  for (const stat of stats.values() as Iterable<{ type?: string; packetsReceived?: number }>) {
    if (stat.type === "inbound-rtp") return stat.packetsReceived ?? 0;
  }
  return 0;
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
