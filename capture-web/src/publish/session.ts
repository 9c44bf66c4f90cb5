// What every way to the server has in common: one connection of one publisher, from opening to its end.
// The ways are rtc-session.ts and socket-session.ts.

import type { EncodedFrame } from "../media/encoded.ts";

/** The way frames take. */
export type Path = "webrtc" | "websocket";

/** How a session ended; it ends once. */
export type SessionEnd =
  /** A newer publisher took the camera. Nobody reconnects by himself. */
  | { kind: "replaced"; message: string }
  /** The server will not have this camera; trying again changes nothing. */
  | { kind: "refused"; message: string }
  /** The server answers, but no WebRTC data channel came to be, or it carries nothing. */
  | { kind: "no-channel"; message: string }
  /** The server was not reached, or the connection was lost. */
  | { kind: "lost"; message: string };

/** How far the way to the server is open, each step in the words of the browser's interfaces. */
export interface Steps {
  signaling: "opening" | "open" | "closed";
  /** Both `undefined` on a path that has none. */
  ice: RTCIceConnectionState | undefined;
  channel: RTCDataChannelState | "awaited" | undefined;
}

/** What the server says about the frames it gets, once a second. */
export interface Feedback {
  received: number;
  receivedFps: number;
  lost: number;
  refused: number;
  /** Pictures that were the same as the one before: received, and not shown again. */
  duplicates: number;
  ageMs: number | undefined;
}

export interface SessionEvents {
  /** The server was reached; signaling goes on. */
  onReached: () => void;
  /** Frames may be sent from now on. */
  onOpen: () => void;
  onFeedback: (feedback: Feedback) => void;
  /** The server refused a frame or a message; the session goes on. */
  onComplaint: (message: string) => void;
  onEnd: (end: SessionEnd) => void;
}

export interface Session {
  readonly path: Path;
  /** When the server was reached, on `performance.now()`'s clock. */
  readonly reachedMs: number | undefined;
  readonly steps: Steps;
  /** What waits inside the browser to be sent. */
  readonly bufferedBytes: number;
  /** Sends a frame, or skips it and answers `false` where it would have to wait. */
  send(frame: EncodedFrame, seq: bigint): boolean;
  /** Takes leave of the server and releases everything. `onEnd` is not called. */
  close(): void;
}

/** This browser lacks what the way takes. */
export class NoSuchPath extends Error {}

/** Who publishes, and how. */
export interface Publication {
  camera: string;
  name: string;
}
