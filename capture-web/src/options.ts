// What a person can ask for, in the page's address or in its form. Reading, writing and defaults; no storage
// and no DOM.

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
  /** `front`, `back`, a device's id or a part of its name; empty for the browser's choice. */
  device: string;
  /** At most this many frames a second. */
  fps: number;
  /** JPEG quality, 0 to 1. */
  quality: number;
  /** Pictures are fitted into this size, or this size turned, never enlarged. */
  width: number;
  height: number;
  /** Quality, size and frame rate stay as they are, whatever the network does. */
  fixed: boolean;
  preview: boolean;
  transport: Transport;
  delivery: Delivery;
  method: Method;
}

export const DEFAULT_OPTIONS: Options = {
  camera: "camera-1",
  name: "",
  autostart: false,
  device: "",
  fps: 30,
  quality: 0.7,
  width: 640,
  height: 480,
  fixed: false,
  preview: true,
  transport: "auto",
  delivery: "lifetime",
  method: "auto",
};

/** Bounds of what the page sends. A server takes pictures of 16 Mi pixels and 4 MiB unless told otherwise. */
export const LEAST = { fps: 1, width: 16, height: 16, quality: 0.05 } as const;
export const MOST = { fps: 30, width: 3840, height: 2160, quality: 1 } as const;

/**
 * Reads `?camera=door&autostart=1&…`. What cannot be read keeps its default, but for an id that cannot be: under
 * another than the one that was meant, this would take somebody else's camera.
 */
export function readOptions(query: URLSearchParams, defaults: Options = DEFAULT_OPTIONS): Options {
  const camera = (query.get("camera") ?? "").slice(0, 100);
  const quality = numberIn(query, "quality", 0, 100) ?? defaults.quality;
  return {
    camera: camera === "" ? defaults.camera : camera,
    name: (query.get("name") ?? defaults.name).slice(0, 100),
    autostart: flag(query, "autostart") ?? defaults.autostart,
    device: (query.get("device") ?? defaults.device).slice(0, 300),
    fps: numberIn(query, "fps", LEAST.fps, MOST.fps) ?? defaults.fps,
    // 70 and 0.7 mean the same.
    quality: Math.max(LEAST.quality, quality > 1 ? quality / 100 : quality),
    width: Math.round(numberIn(query, "width", LEAST.width, MOST.width) ?? defaults.width),
    height: Math.round(numberIn(query, "height", LEAST.height, MOST.height) ?? defaults.height),
    fixed: flag(query, "fixed") ?? defaults.fixed,
    preview: flag(query, "preview") ?? defaults.preview,
    transport: oneOf(query, "transport", ["auto", "webrtc", "websocket"]) ?? defaults.transport,
    delivery: oneOf(query, "delivery", ["lifetime", "no-retransmit"]) ?? defaults.delivery,
    method: oneOf(query, "method", ["auto", "processor", "video", "canvas"]) ?? defaults.method,
  };
}

/** What the form sets, as the query that `readOptions` reads. */
export function writeOptions({ camera, name, device, fps, quality, width, height, fixed, preview }: Options): URLSearchParams {
  return new URLSearchParams({
    camera, name, device, fps: String(fps), quality: String(quality), width: String(width), height: String(height),
    fixed: fixed ? "1" : "0", preview: preview ? "1" : "0",
  });
}

/** Out of bounds is brought to the bound. */
function numberIn(query: URLSearchParams, key: string, least: number, most: number): number | undefined {
  const text = query.get(key);
  if (text === null || text.trim() === "") return undefined;
  const value = Number(text);
  return Number.isFinite(value) && value > 0 ? Math.min(most, Math.max(least, value)) : undefined;
}

/** `?autostart` alone means yes. */
function flag(query: URLSearchParams, key: string): boolean | undefined {
  const text = query.get(key);
  return text === null ? undefined : !["0", "false", "no"].includes(text);
}

function oneOf<T extends string>(query: URLSearchParams, key: string, choices: readonly T[]): T | undefined {
  return choices.find((choice) => choice === query.get(key));
}
