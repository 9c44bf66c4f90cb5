// What the page and the engine say to each other. Types only: everything here can be posted between threads.

import type { CameraInfo, Interest, Refusal, Served } from "../feed/feed.ts";
import type { LinkChoice, LinkState } from "../feed/link.ts";

/** From the page to the engine. */
export type Command =
  | { do: "start"; choice: LinkChoice }
  | { do: "stop" }
  /** The network is back: try now. */
  | { do: "hurry" }
  | { do: "want"; camera: string; interest: Interest }
  /** Where this camera's pictures go; sent with the canvas in its list of transfers. */
  | { do: "draw"; camera: string; canvas: OffscreenCanvas | HTMLCanvasElement }
  /** A picture that came another way: the newest of a camera whose stream is not sent. */
  | { do: "still"; camera: string; picture: Picture }
  /** The newest picture's own bytes; answered by `jpeg` with the same `ask`. */
  | { do: "jpeg"; camera: string; ask: number };

/** From the engine to the page. */
export type Word =
  | { say: "link"; state: LinkState }
  | { say: "cameras"; cameras: CameraInfo[] }
  | { say: "camera"; camera: CameraInfo }
  | { say: "gone"; camera: string }
  /** The server sends no pictures of this camera, or does again. */
  | { say: "refused"; camera: string; refusal: Refusal | undefined }
  | { say: "figures"; figures: Figures }
  | { say: "jpeg"; ask: number; picture: Picture | undefined };

/** A picture as it came. */
export interface Picture {
  /** The camera's number for it; `undefined` for a still of a video. */
  seq: bigint | undefined;
  jpeg: Uint8Array<ArrayBuffer>;
  /** When it was taken, or else received: Unix milliseconds on the server's clock, 0 if unknown. */
  takenMs: number;
}

/** Sent five times a second; each tells what is new since the one before, and how things stand. */
export interface Figures {
  /** Server's clock minus the page's, microseconds; `undefined` until known. */
  offsetUs: number | undefined;
  roundTripMs: number | undefined;
  cameras: Record<string, TrackFigures>;
}

export interface TrackFigures {
  shown: number;
  /** Frames that a newer one overtook before they were decoded. */
  skipped: number;
  /** Frames that could not be decoded. */
  broken: number;
  /** Shown a second. */
  fps: number;
  bytesPerSecond: number;
  width: number;
  height: number;
  /** Ages when shown, in milliseconds, of the frames shown since the last report. */
  ages: number[];
  /** The picture on the screen: when taken or else received, on the server's clock; 0 if unknown. */
  takenUs: number;
  /** Whether `takenUs` is when it was taken. */
  captured: boolean;
  /** When it was shown, Unix microseconds on the page's clock; 0 before the first. */
  shownUs: number;
  /** What the server says of this camera and this viewer; `undefined` where it says nothing. */
  served: Served | undefined;
}
