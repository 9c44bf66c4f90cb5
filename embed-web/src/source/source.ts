// What every way to get a camera's pictures has in common, and how its answers are read. The ways are
// web-socket.ts, mjpeg.ts and polling.ts.

import type { ServerClock } from "@framecast/shared/clock";
import { asNumber, asText, type Message } from "@framecast/shared/wire/json";

/** What is wanted, and from where. */
export interface Wish {
  /** Base URL of the view port; ends with a slash. */
  server: URL;
  camera: string;
  /** `undefined`: as many frames as the server gives. */
  maxFps: number | undefined;
  /** Device pixels across that the pictures are shown at, or the size of the server that is asked for by its name. */
  size: number | SizeName;
}

export const SIZES = ["source", "high", "medium", "low"] as const;
export type SizeName = (typeof SIZES)[number];

export interface Picture {
  jpeg: Uint8Array<ArrayBuffer>;
  seq: bigint;
  /** Unix microseconds on the server's clock; 0 if unknown. */
  capturedUs: number;
  receivedUs: number;
}

/** The camera as the server sees it. */
export interface Presence {
  name: string;
  online: boolean;
  /** Since when, Unix milliseconds on the server's clock; 0 if unknown. */
  sinceMs: number;
  /** Why it is offline, or online and has no pictures, in plain words. */
  reason: string;
  /** The server is about to connect to it. */
  connecting?: boolean;
}

/**
 * `refused`: the server said no to this page, and will until somebody changes something. `full`: until somebody who
 * watches the camera leaves. `unsupported`: of this camera there are no pictures.
 */
export type Ending = "unreached" | "lost" | "refused" | "full" | "unsupported";

export interface SourceEvents {
  /** The server answers this way, and does not refuse the camera. */
  onUp: () => void;
  onPicture: (picture: Picture) => void;
  /** `undefined`: the server does not know the camera. */
  onPresence: (presence: Presence | undefined) => void;
  /** Once; nothing follows. */
  onDown: (ending: Ending, reason: string) => void;
}

export interface Source {
  /** The picture is on the screen. */
  shown(seq: bigint): void;
  /** Another size from the next picture on. The rest of the wish stays. */
  resize(size: Wish["size"]): void;
  /** Ends without `onDown`. */
  close(): void;
}

export type OpenSource = (wish: Wish, clock: ServerClock, events: SourceEvents) => Source;

/** Before a server that does not answer counts as not reached. */
export const PATIENCE_MS = 6_000;

/** Reads a camera object of the WebSocket or of REST. */
export function readPresence(message: Message): Presence {
  return {
    name: asText(message["name"]) ?? "",
    online: message["online"] === true,
    sinceMs: (asNumber(message["since_us"]) ?? 0) / 1000,
    reason: asText(message["reason"]) ?? "",
  };
}
