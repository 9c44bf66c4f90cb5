// The server's routes for setting cameras up, as calls. What comes back is read without trust; docs/cameras.md says
// what each route does.

import { httpUrl } from "@framecast/shared/address";
import { asNumber, asText, parseMessage, type Message } from "@framecast/shared/wire/json";
import { sentence } from "@framecast/shared/words";
import { asObject, readKind, readVideo, type SourceKind, type VideoInfo } from "../listing.ts";

/** Longer than the server takes to find out that a camera does not answer. */
const TIMEOUT_MS = 30_000;

/** A camera as the list has it. */
export interface SetUpCamera {
  id: string;
  name: string;
  online: boolean;
  reason: string | undefined;
  viewers: number;
  width: number | undefined;
  height: number | undefined;
  fps: number;
  video: VideoInfo | undefined;
  location: string;
  /** `undefined`: nobody set it up, it publishes by itself. */
  source: SetUpSource | undefined;
  onDemand: boolean;
  maxViewers: number;
  transport: "tcp" | "udp";
  jpegFps: number | undefined;
  substream: string;
}

/** Where its pictures come from; addresses only for who may manage. */
export interface SetUpSource {
  kind: SourceKind;
  url: string;
  host: string;
  port: number | undefined;
  path: string;
  username: string;
  hasPassword: boolean;
  /** Of the one certificate that is trusted; empty where that is for the server's system to say. */
  fingerprint: string;
}

/** How the connection to a camera is. */
export interface StreamStatus {
  /** `standby`, `connecting`, `streaming`, `waiting`, `stopped`; `undefined` from servers that do not say. */
  state: string | undefined;
  active: boolean;
  reconnects: number;
  codec: string | undefined;
  width: number | undefined;
  height: number | undefined;
  fps: number | undefined;
  /** Bits a second. */
  bitrate: number | undefined;
  viewers: number | undefined;
  lastError: string | undefined;
  /** Unix milliseconds on the server's clock. */
  nextRetryMs: number | undefined;
}

export interface Preset {
  id: string;
  name: string;
  kind: SourceKind;
  port: number;
  path: string;
}

/** What a test of a source found. */
export interface Found {
  codec: string;
  width: number;
  height: number;
  fps: number | undefined;
  audio: string | undefined;
  tookMs: number | undefined;
}

/** The server's own words for why something was not done. */
export class ApiFailure extends Error {
  readonly code: string;
  readonly status: number;
  /** Of the camera's certificate, where that is what is not trusted. */
  readonly fingerprint: string | undefined;

  constructor(status: number, code: string, message: string, fingerprint?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.fingerprint = fingerprint;
  }
}

async function call(method: string, path: string, body?: unknown): Promise<Message | undefined> {
  const url = httpUrl(path, import.meta.env.VITE_VIEW_URL, location.href);
  const init: RequestInit = { method, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (body !== undefined) Object.assign(init, { headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch {
    throw new ApiFailure(0, "unreachable", "The server cannot be reached.");
  }
  const answer = parseMessage(await response.text());
  if (response.ok) return answer;
  const error = asObject(answer?.["error"]);
  throw new ApiFailure(response.status, asText(error?.["code"]) ?? "", sentence(asText(error?.["message"]) ?? `the server answered ${response.status}`));
}

const cameraPath = (id: string): string => `api/cameras/${encodeURIComponent(id)}`;

export async function mayManage(): Promise<boolean> {
  return (await call("GET", "api/info"))?.["manage"] === true;
}

export async function listCameras(): Promise<SetUpCamera[]> {
  return readCameras(await call("GET", "api/cameras"));
}

export async function listPresets(): Promise<Preset[]> {
  return readPresets(await call("GET", "api/camera-presets"));
}

export async function streamStatus(id: string): Promise<StreamStatus> {
  return readStatus((await call("GET", `api/streams/status/${encodeURIComponent(id)}`)) ?? {});
}

export async function addCamera(body: Message): Promise<void> {
  await call("POST", "api/cameras", body);
}

export async function changeCamera(id: string, body: Message): Promise<void> {
  await call("PATCH", cameraPath(id), body);
}

export async function removeCamera(id: string): Promise<void> {
  await call("DELETE", cameraPath(id));
}

export async function startStream(id: string): Promise<void> {
  await call("POST", `${cameraPath(id)}/stream/start`, {});
}

export async function stopStream(id: string): Promise<void> {
  await call("POST", `${cameraPath(id)}/stream/stop`);
}

/** Connects once to the source in `body`. With the `id` of a camera that is set up, what is left out is that camera's. */
export async function testSource(body: Message): Promise<Found> {
  return readFound(await call("POST", "api/camera-test", body));
}

export function readFound(answer: Message | undefined): Found {
  const error = asObject(answer?.["error"]);
  if (error !== undefined) throw new ApiFailure(200, asText(error["code"]) ?? "", sentence(asText(error["message"]) ?? "it did not work"), asText(error["tls_fingerprint"]));
  const found = asObject(answer?.["found"]) ?? answer ?? {};
  return {
    codec: asText(found["codec"]) ?? "",
    width: asNumber(found["width"]) ?? 0,
    height: asNumber(found["height"]) ?? 0,
    fps: asNumber(found["fps"]),
    audio: asText(found["audio"]),
    tookMs: asNumber(found["took_ms"]),
  };
}

export function readPresets(answer: Message | undefined): Preset[] {
  const list: unknown = answer?.["presets"];
  return (Array.isArray(list) ? list : []).flatMap((item: unknown): Preset[] => {
    const preset = asObject(item);
    const [id, name, path] = [asText(preset?.["id"]), asText(preset?.["name"]), asText(preset?.["path"])];
    const kind = readKind(preset?.["type"]);
    if (id === undefined || name === undefined || path === undefined || kind === undefined) return [];
    return [{ id, name, path, kind, port: asNumber(preset?.["port"]) ?? 554 }];
  });
}

export function readStatus(answer: Message): StreamStatus {
  const number = (name: string): number | undefined => asNumber(answer[name]);
  return {
    state: asText(answer["state"]),
    active: answer["is_active"] === true,
    reconnects: number("reconnect_count") ?? 0,
    codec: asText(answer["codec"]),
    width: number("width"),
    height: number("height"),
    fps: number("fps"),
    bitrate: number("bitrate"),
    viewers: number("viewers"),
    lastError: asText(answer["last_error"]),
    nextRetryMs: readTime(answer["next_retry_at"]),
  };
}

/** A time as text (ISO 8601) or as Unix seconds, milliseconds or microseconds: in Unix milliseconds. */
function readTime(value: unknown): number | undefined {
  if (typeof value === "string") return Number.isNaN(Date.parse(value)) ? undefined : Date.parse(value);
  const number = asNumber(value);
  if (number === undefined || number <= 0) return undefined;
  if (number > 1e14) return number / 1000;
  return number > 1e11 ? number : number * 1000;
}

export function readCameras(answer: Message | undefined): SetUpCamera[] {
  const list: unknown = answer?.["cameras"];
  return (Array.isArray(list) ? list : []).flatMap((item: unknown): SetUpCamera[] => {
    const camera = asObject(item);
    const id = asText(camera?.["id"]);
    if (camera === undefined || id === undefined) return [];
    const text = (name: string): string => asText(camera[name]) ?? "";
    return [{
      id,
      name: text("name"),
      online: camera["online"] === true,
      reason: asText(camera["reason"]),
      viewers: asNumber(camera["viewers"]) ?? 0,
      width: asNumber(camera["width"]),
      height: asNumber(camera["height"]),
      fps: asNumber(camera["fps"]) ?? 0,
      video: readVideo(camera["video"]),
      location: text("location"),
      source: readSource(camera["source"]),
      onDemand: camera["on_demand"] !== false,
      maxViewers: asNumber(camera["max_viewers"]) ?? 0,
      transport: camera["rtsp_transport"] === "udp" ? "udp" : "tcp",
      jpegFps: asNumber(camera["jpeg_fps"]),
      substream: text("substream_url"),
    }];
  });
}

function readSource(value: unknown): SetUpSource | undefined {
  const source = asObject(value);
  const kind = readKind(source?.["type"]);
  if (source === undefined || kind === undefined) return undefined;
  const text = (name: string): string => asText(source[name]) ?? "";
  return { kind, url: text("url"), host: text("host"), port: asNumber(source["port"]), path: text("path"), username: text("username"), hasPassword: source["has_password"] === true, fingerprint: text("tls_fingerprint") };
}
