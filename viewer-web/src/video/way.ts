// What every way to play a camera's video has in common. Types only; the ways are whep-way.ts and hls-way.ts.

/** The rungs, best first: WebRTC, low-latency HLS, and the JPEG stream that every camera of the wall has. */
export const RUNGS = ["whep", "hls", "jpeg"] as const;
export type Rung = (typeof RUNGS)[number];
/** Those that play in a video element. */
export type VideoRung = Exclude<Rung, "jpeg">;

/**
 * How a way ended. `unsupported`: this browser or this camera cannot, and will not while the camera stays what it
 * is. `unavailable`: the camera itself is not to be had, so that no other way would do better. `failed`: this way
 * did not work, another may. `lost`: it worked, until now.
 */
export type WayEnding = "unsupported" | "unavailable" | "failed" | "lost";

/** Why something is not to be had. */
export interface Why {
  /** In plain words. */
  reason: string;
  /**
   * The server's code (docs/protocol.md, *Errors*) where it was the server that said no; of WebRTC also the page's own,
   * `no_webrtc`, `no_answer`, `unreachable` and `lost`.
   */
  code?: string | undefined;
}

export interface WayEnd extends Why {
  ending: WayEnding;
  /** Not before this, where the server said so. */
  retryMs?: number | undefined;
}

export interface WayEvents {
  /** The server has said yes: no request waits for the camera any longer. */
  onAnswered?: () => void;
  /** The first picture is there. */
  onPlaying: () => void;
  /** It has ended, once. */
  onEnd: (end: WayEnd) => void;
}

/** What only the way itself knows; the rest is counted at its video element. */
export interface WayFigures {
  bytesPerSecond: number;
  /** How long a picture was on its way from the server to the screen; `undefined` until known. */
  latencyMs: number | undefined;
}

export interface Way {
  readonly figures: WayFigures;
  /** Ends it without `onEnd`. */
  close(): void;
}

/** Plays a camera in this element. No event comes before it has returned. */
export type OpenWay = (rung: VideoRung, camera: string, video: HTMLVideoElement, events: WayEvents) => Way;
