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

/** How much of a camera is wanted: what is out of sight needs only a sign of life. */
export interface Interest {
  visible: boolean;
  /** Pixels across, as shown. */
  width: number;
}

export interface FeedEvents {
  /** Frames can come from now on. */
  onUp: () => void;
  /** All cameras there are; others are gone. */
  onCameras: (cameras: CameraInfo[]) => void;
  /** One camera appeared or changed. */
  onCamera: (camera: CameraInfo) => void;
  onGone: (camera: string) => void;
  onFrame: (frame: FrameMessage) => void;
  /** The feed has ended, once. `wasUp`: it had worked. */
  onDown: (reason: string, wasUp: boolean) => void;
}

export interface Feed {
  /** The frame is on the screen. */
  shown(camera: string, seq: bigint): void;
  want(camera: string, interest: Interest): void;
  /** Ends the feed without `onDown`. */
  close(): void;
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
