// What every way to get frames has in common. Types only; the ways are stream-feed.ts and rest-feed.ts.

import type { FrameMessage } from "@framecast/shared/wire/frame";
import { asNumber, asText, type Message } from "@framecast/shared/wire/json";
import { isCameraId } from "@framecast/shared/camera-id";

/** A camera as the server describes it. */
export interface CameraInfo {
  camera: string;
  name: string;
  online: boolean;
  /** Since when it is online or offline, Unix milliseconds on the server's clock; 0 if unknown. */
  sinceMs: number;
  /** Why it is offline, in plain words. */
  reason: string | undefined;
  transport: string | undefined;
}

/** How much of a camera is wanted: nothing of what is out of sight. */
export interface Interest {
  visible: boolean;
  /** Device pixels across, as shown. */
  width: number;
  /** Most frames a second that are of use; `undefined`: all that the server gives. */
  fps: number | undefined;
}

/** What the server did for this viewer and one camera, in frames since the connection opened. */
export interface Served {
  sent: number;
  /** Left out by the limit of frames a second. */
  paced: number;
  /** Left out because the way here was full. */
  behind: number;
  /** `source`, `high`, `medium` or `low`; `undefined` from a server that sends only the source. */
  quality: string | undefined;
}

/** Why the server sends no pictures of a camera though it is asked for them; it is asked again and again. */
export interface Refusal {
  /** As in docs/protocol.md, *Errors*. */
  code: string;
  /** In plain words. */
  reason: string;
}

/**
 * How a feed ended: it never worked, it worked and was lost, it is open and something holds its pictures back, or
 * this browser gives a page none of them.
 */
export type Ending = "refused" | "lost" | "stalled" | "unable";

export interface FeedEvents {
  /** Frames can come from now on. */
  onUp: () => void;
  /** All cameras there are; others are gone. */
  onCameras: (cameras: CameraInfo[]) => void;
  /** One camera appeared or changed. */
  onCamera: (camera: CameraInfo) => void;
  onGone: (camera: string) => void;
  onFrame: (frame: FrameMessage) => void;
  /** By MJPEG: the first picture of a stream is here, where others may have been polled. */
  onStreamed?: () => void;
  /** The server sends no pictures of this camera; `undefined`: it does again. */
  onRefused: (camera: string, refusal: Refusal | undefined) => void;
  onServed: (cameras: Record<string, Served>) => void;
  /** The feed has ended, once. */
  onDown: (reason: string, ending: Ending) => void;
}

export interface Feed {
  /** The frame is on the screen. */
  shown(camera: string, seq: bigint): void;
  want(camera: string, interest: Interest): void;
  /** Ends the feed without `onDown`. */
  close(): void;
}

/** Reads the `cameras` of a `stats` message. */
export function readServed(cameras: unknown): Record<string, Served> {
  if (typeof cameras !== "object" || cameras === null) return {};
  return Object.fromEntries(
    Object.entries(cameras).flatMap(([id, value]: [string, unknown]) => {
      if (typeof value !== "object" || value === null) return [];
      const served = value as Message;
      const count = (name: string): number => asNumber(served[name]) ?? 0;
      return [[id, { sent: count("sent"), paced: count("paced"), behind: count("behind"), quality: asText(served["quality"]) }]];
    }),
  );
}

/** Reads a camera object; `undefined` where it names none. */
export function readCamera(message: Message): CameraInfo | undefined {
  const camera = asText(message["camera"]) ?? asText(message["id"]);
  if (camera === undefined || !isCameraId(camera)) return undefined;
  return {
    camera,
    name: asText(message["name"]) ?? "",
    online: message["online"] === true,
    sinceMs: (asNumber(message["since_us"]) ?? 0) / 1000,
    reason: asText(message["reason"]),
    transport: asText(message["transport"]),
  };
}

export function readCameras(list: unknown): CameraInfo[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => (typeof item === "object" && item !== null ? (readCamera(item as Message) ?? []) : []));
}
