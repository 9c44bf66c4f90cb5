// Plays a camera over WebRTC, and counts what only its connection knows.

import { httpUrl } from "@framecast/shared/address";
import { Releases } from "@framecast/shared/releases";
import type { OpenWay, Way, WayEnd, WayEnding, WayEvents, WayFigures } from "./way.ts";
import { Whep, type WhepEnding } from "./whep.ts";

/** How often the connection's own counts are read. */
const STATS_MS = 500;
/** After the connection is up, the first picture is there with the first key frame. */
const PICTURE_MS = 12_000;
/** The server has taken a camera that sends nothing for this long for gone, and is about to say so. */
const STANDS_MS = 8_000;

export const openWhep = (camera: string, video: HTMLVideoElement, events: WayEvents): ReturnType<OpenWay> => new WhepWay(camera, video, events);

class WhepWay implements Way {
  readonly #video: HTMLVideoElement;
  readonly #events: WayEvents;
  readonly #releases = new Releases();
  #pc: RTCPeerConnection | undefined;
  #playing = false;
  #framesDecoded = 0;
  #decodedMs = 0;
  #bytes: { count: number; atMs: number } | undefined;
  #bytesPerSecond = 0;
  #roundTripMs: number | undefined;
  /** Between a picture's last packet and the screen. */
  #hereMs: number | undefined;

  constructor(camera: string, video: HTMLVideoElement, events: WayEvents) {
    this.#video = video;
    this.#events = events;
    const url = httpUrl(`whep/${encodeURIComponent(camera)}`, import.meta.env.VITE_VIEW_URL, location.href);
    const whep = new Whep(
      url,
      {
        onAnswered: () => this.#events.onAnswered?.(),
        onStream: (stream) => this.#stream(stream),
        onDown: (ending) => this.#end(endOf(ending, this.#playing)),
      },
      {
        fetch: (to, init) => fetch(to, init),
        connect: () => {
          this.#pc = new RTCPeerConnection();
          return this.#pc;
        },
      },
    );
    this.#releases.add(() => whep.close());
  }

  get figures(): WayFigures {
    // Half of the round trip is the way here.
    const latencyMs = this.#hereMs === undefined ? undefined : this.#hereMs + (this.#roundTripMs ?? 0) / 2;
    return { bytesPerSecond: this.#bytesPerSecond, latencyMs };
  }

  close(): void {
    this.#releases.close();
  }

  #stream(stream: MediaStream): void {
    const video = this.#video;
    video.srcObject = stream;
    video.play().catch(() => undefined);
    let handle = 0;
    const shown = (nowMs: number, frame: VideoFrameCallbackMetadata): void => {
      if (frame.receiveTime !== undefined) this.#hereMs = Math.max(0, frame.expectedDisplayTime - frame.receiveTime);
      this.#started(nowMs);
      if (!this.#releases.closed) handle = video.requestVideoFrameCallback(shown);
    };
    handle = video.requestVideoFrameCallback(shown);
    // What is just outside of the window is decoded and not drawn.
    this.#releases.listen(video, "loadeddata", () => this.#started(performance.now()));
    this.#releases.add(() => video.cancelVideoFrameCallback(handle));
    this.#releases.every(STATS_MS, () => {
      this.#count().catch(() => undefined);
    });
    this.#releases.after(PICTURE_MS, () => {
      if (!this.#playing) this.#end({ ending: "failed", reason: "No picture came over WebRTC." });
    });
  }

  #started(nowMs: number): void {
    if (this.#playing) return;
    this.#playing = true;
    this.#decodedMs = nowMs;
    this.#events.onPlaying();
  }

  async #count(): Promise<void> {
    const report = await this.#pc?.getStats();
    if (report === undefined || this.#releases.closed) return;
    const nowMs = performance.now();
    report.forEach((entry: Record<string, unknown>) => {
      if (entry["type"] === "inbound-rtp" && entry["kind"] === "video") this.#countInbound(entry, nowMs);
      if (entry["type"] === "candidate-pair" && entry["nominated"] === true && typeof entry["currentRoundTripTime"] === "number") this.#roundTripMs = entry["currentRoundTripTime"] * 1000;
    });
    if (this.#playing && document.visibilityState === "visible" && nowMs - this.#decodedMs > STANDS_MS) this.#end({ ending: "lost", reason: "No newer picture comes over WebRTC." });
  }

  #countInbound(entry: Record<string, unknown>, nowMs: number): void {
    const count = Number(entry["bytesReceived"] ?? 0);
    if (this.#bytes !== undefined && nowMs > this.#bytes.atMs) this.#bytesPerSecond = ((count - this.#bytes.count) * 1000) / (nowMs - this.#bytes.atMs);
    this.#bytes = { count, atMs: nowMs };
    const decoded = Number(entry["framesDecoded"] ?? 0);
    if (decoded !== this.#framesDecoded) this.#decodedMs = nowMs;
    this.#framesDecoded = decoded;
  }

  #end(end: WayEnd): void {
    if (this.#releases.closed) return;
    this.#releases.close();
    this.#events.onEnd(end);
  }
}

/** What an ending means for the ladder. */
function endOf({ code, message, remedy, retryAfterMs }: WhepEnding, wasPlaying: boolean): WayEnd {
  return { ending: endingOf(code, remedy, wasPlaying), reason: message, code, retryMs: retryAfterMs };
}

function endingOf(code: string, remedy: WhepEnding["remedy"], wasPlaying: boolean): WayEnding {
  if (wasPlaying) return "lost";
  if (code === "no_webrtc" || code === "no_video" || code === "unsupported_codec") return "unsupported";
  if (code === "unknown_camera" || code === "at_capacity" || code === "camera_offline") return "unavailable";
  return remedy === "none" ? "unavailable" : "failed";
}
