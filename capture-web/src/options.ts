// What the page's address asks for. Reading and defaults only; what was chosen on the page lives elsewhere.

import { isCameraId } from "@framecast/shared/camera-id";

/** `auto`: WebRTC, and the WebSocket where no data channel opens. */
export type Transport = "auto" | "webrtc" | "websocket";

/** What becomes of a lost packet: sent again for 150 ms, or never. */
export type Delivery = "lifetime" | "no-retransmit";

/** How pictures are taken from the camera; `auto` takes the first that the browser has. */
export type Method = "auto" | "processor" | "video" | "canvas";

export interface Options {
  camera: string;
  name: string;
  autostart: boolean;
  /** At most this many frames a second. */
  fps: number;
  /** JPEG quality, 0 to 1. */
  quality: number;
  /** Pictures are fitted into this size, never enlarged. */
  width: number;
  height: number;
  transport: Transport;
  delivery: Delivery;
  method: Method;
}

export const DEFAULT_OPTIONS: Options = {
  camera: "camera-1",
  name: "",
  autostart: false,
  fps: 30,
  quality: 0.7,
  width: 640,
  height: 480,
  transport: "auto",
  delivery: "lifetime",
  method: "auto",
};

/** What the page sends at most; a server may allow more, but the live path was measured up to here. */
export const MOST = { fps: 60, width: 1280, height: 720 } as const;

/** Reads `?camera=door&autostart=1&…`. What cannot be read keeps its default. */
export function readOptions(query: URLSearchParams, defaults: Options = DEFAULT_OPTIONS): Options {
  const camera = query.get("camera") ?? "";
  const quality = numberIn(query, "quality", 0, 100) ?? defaults.quality;
  return {
    camera: isCameraId(camera) ? camera : defaults.camera,
    name: (query.get("name") ?? defaults.name).slice(0, 100),
    autostart: query.has("autostart") ? !["0", "false", "no"].includes(query.get("autostart") ?? "") : defaults.autostart,
    fps: numberIn(query, "fps", 0.1, MOST.fps) ?? defaults.fps,
    // 70 and 0.7 mean the same.
    quality: Math.max(0.05, quality > 1 ? quality / 100 : quality),
    width: Math.round(numberIn(query, "width", 16, MOST.width) ?? defaults.width),
    height: Math.round(numberIn(query, "height", 16, MOST.height) ?? defaults.height),
    transport: oneOf(query, "transport", ["auto", "webrtc", "websocket"]) ?? defaults.transport,
    delivery: oneOf(query, "delivery", ["lifetime", "no-retransmit"]) ?? defaults.delivery,
    method: oneOf(query, "method", ["auto", "processor", "video", "canvas"]) ?? defaults.method,
  };
}

/** Out of bounds is brought to the bound. */
function numberIn(query: URLSearchParams, key: string, least: number, most: number): number | undefined {
  const text = query.get(key);
  if (text === null || text.trim() === "") return undefined;
  const value = Number(text);
  return Number.isFinite(value) && value > 0 ? Math.min(most, Math.max(least, value)) : undefined;
}

function oneOf<T extends string>(query: URLSearchParams, key: string, choices: readonly T[]): T | undefined {
  return choices.find((choice) => choice === query.get(key));
}
