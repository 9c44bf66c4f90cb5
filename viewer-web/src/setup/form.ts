// The form of one camera: what a person typed, what is wrong with it, and what goes to the server. No DOM, no
// network.

import { CAMERA_ID_RULE, isCameraId } from "@framecast/shared/camera-id";
import type { Message } from "@framecast/shared/wire/json";
import type { SourceKind } from "../listing.ts";
import type { Preset, SetUpCamera } from "./api.ts";

/** What a person can type or choose; errors belong to one of them. */
export type Field = "id" | "name" | "location" | "kind" | "url" | "host" | "port" | "path" | "username" | "password" | "fingerprint" | "maxViewers" | "transport" | "jpegFps" | "substream" | "onDemand";

export interface Form {
  id: string;
  name: string;
  location: string;
  kind: SourceKind;
  /** Of an RTSP camera: host, port and path each by itself, or the whole address. */
  whole: boolean;
  url: string;
  host: string;
  port: string;
  path: string;
  username: string;
  /** Write-only: what the server keeps is never here. */
  password: string;
  /** Empty keeps the password that the server has, unless this. */
  dropPassword: boolean;
  /** Of the one certificate to trust; empty trusts those that the server's system does. */
  fingerprint: string;
  onDemand: boolean;
  maxViewers: string;
  transport: "tcp" | "udp";
  jpegFps: string;
  substream: string;
}

export type FormErrors = Partial<Record<Field, string>>;

const DEFAULT_JPEG_FPS = 5;

export const NEW: Form = {
  id: "", name: "", location: "", kind: "rtsp", whole: false, url: "", host: "", port: "554", path: "/stream1",
  username: "", password: "", dropPassword: false, fingerprint: "", onDemand: true, maxViewers: "0", transport: "tcp", jpegFps: String(DEFAULT_JPEG_FPS), substream: "",
};

/** The form of a camera that is set up. */
export function formOf(camera: SetUpCamera): Form {
  const { source } = camera;
  return {
    ...NEW,
    id: camera.id,
    // A camera without a name of its own is called by its id.
    name: camera.name === camera.id ? "" : camera.name,
    location: camera.location,
    kind: source?.kind ?? "push",
    // Host and port alone say nothing of a protocol other than the usual.
    whole: source !== undefined && !source.url.startsWith("rtsp://"),
    url: source?.url ?? "",
    host: source?.host ?? "",
    port: String(source?.port ?? 554),
    path: source?.path ?? "",
    username: source?.username ?? "",
    fingerprint: source?.fingerprint ?? "",
    onDemand: camera.onDemand,
    maxViewers: String(camera.maxViewers),
    transport: camera.transport,
    jpegFps: String(camera.jpegFps ?? DEFAULT_JPEG_FPS),
    substream: camera.substream,
  };
}

/** Port and path of a maker's cameras. */
export function withPreset(form: Form, { kind, port, path }: Preset): Form {
  return { ...form, kind, whole: false, port: String(port), path };
}

/** The preset that a form's path is of, if it is one's. */
export function presetOf({ path }: Form, presets: readonly Preset[]): Preset | undefined {
  return presets.find((preset) => preset.path === path);
}

/** An address typed or pasted where a host belongs is taken for what it is. */
export function withHost(form: Form, text: string): Form {
  return /^rtsps?:\/\//i.test(text.trim()) ? { ...form, whole: true, url: text.trim() } : { ...form, host: text };
}

/** Whether the address says that the connection is encrypted. */
export function isEncrypted(form: Form): boolean {
  return (form.kind === "mjpeg" || (form.kind === "rtsp" && form.whole)) && /^(?:rtsps|https):\/\//i.test(form.url.trim());
}

/** An id to begin with, from the name: `Front door` is `front-door`, or `front-door-2` where that is taken. */
export function idFor(name: string, taken: readonly string[]): string {
  const plain = name.normalize("NFKD").replace(/[^\w\s.-]/g, "").trim().replace(/[\s_.-]+/g, "-").replace(/^-+|-+$/g, "").toLowerCase().slice(0, 50);
  if (plain === "") return "";
  let id = plain;
  for (let number = 2; taken.includes(id); number += 1) id = `${plain}-${number}`;
  return id;
}

/** What can be seen to be wrong without the server. */
export function check(form: Form, isNew: boolean): FormErrors {
  const errors: FormErrors = {};
  if (isNew && !isCameraId(form.id)) errors.id = form.id === "" ? "Give it an id." : CAMERA_ID_RULE;
  Object.assign(errors, checkSource(form));
  if (!isWhole(form.maxViewers, 0, 1_000_000)) errors.maxViewers = "A whole number; 0 is no limit.";
  const fps = Number(form.jpegFps);
  if (form.jpegFps.trim() === "" || !(fps >= 0.1 && fps <= 60)) errors.jpegFps = "From 0.1 to 60.";
  return errors;
}

/** As `check`, for what a test needs. */
export function checkSource(form: Form): FormErrors {
  const errors: FormErrors = {};
  if (form.kind === "push") return errors;
  if (form.kind === "mjpeg" || form.whole) {
    const wanted = form.kind === "mjpeg" ? /^https?:\/\/./i : /^rtsps?:\/\/./i;
    if (!wanted.test(form.url.trim())) errors.url = form.kind === "mjpeg" ? "Starts with http:// or https://." : "Starts with rtsp:// or rtsps://.";
    return errors;
  }
  if (form.host.trim() === "") errors.host = "The camera's name or address in your network, such as 192.168.1.64.";
  if (!isWhole(form.port, 1, 65_535)) errors.port = "From 1 to 65535; 554 is usual.";
  if (!form.path.startsWith("/")) errors.path = "Starts with /.";
  return errors;
}

function isWhole(text: string, least: number, most: number): boolean {
  return /^\d{1,7}$/.test(text.trim()) && Number(text) >= least && Number(text) <= most;
}

/** The `source` for the server. An empty password is left out, which keeps the one that is kept. */
export function sourceOf(form: Form): Message {
  if (form.kind === "push") return { type: "push" };
  const where = form.kind === "mjpeg" || form.whole ? { url: form.url.trim() } : { host: form.host.trim(), port: Number(form.port), path: form.path.trim() };
  const hasLogin = /^\w+:\/\/[^/]*@/.test(form.url) && "url" in where;
  return {
    type: form.kind,
    ...where,
    // Those in the address are meant where the fields say nothing.
    ...(form.username === "" && hasLogin ? {} : { username: form.username === "" ? null : form.username }),
    ...(isEncrypted(form) ? { tls_fingerprint: form.fingerprint.trim() || null } : {}),
    ...(form.password === "" ? (form.dropPassword ? { password: null } : {}) : { password: form.password }),
  };
}

/** What goes to the server: all of it for a new camera, and for one that is changed what differs. */
export function bodyOf(form: Form, before: Form | undefined): Message {
  const source = sourceOf(form);
  const pulled = form.kind !== "push";
  const all: Message = {
    name: form.name.trim() || null,
    location: form.location.trim() || null,
    source,
    on_demand: form.onDemand,
    max_viewers: Number(form.maxViewers),
    rtsp_transport: form.transport,
    jpeg_fps: Number(form.jpegFps),
    substream_url: pulled ? form.substream.trim() || null : null,
  };
  if (before === undefined) return { id: form.id, ...all, source: fresh(source) };
  const old = bodyOf({ ...before, id: "" }, undefined);
  const same = (name: string): boolean => (name === "source" ? !sourceChanged(form, before) : JSON.stringify(all[name]) === JSON.stringify(old[name]));
  return Object.fromEntries(Object.entries(all).filter(([name]) => !same(name)));
}

/** What a test needs; of a camera that is set up, with the password that the server keeps. */
export function testOf(form: Form, isSetUp: boolean): Message {
  const source = sourceOf(form);
  return { ...(isSetUp ? { id: form.id, source } : { source: fresh(source) }), rtsp_transport: form.transport };
}

/** Where nothing is kept, a login left out is none. */
function fresh(source: Message): Message {
  return Object.fromEntries(Object.entries(source).filter(([, value]) => value !== null));
}

/** Whether what is typed leads elsewhere than what is kept. */
function sourceChanged(form: Form, before: Form): boolean {
  return JSON.stringify(sourceOf(form)) !== JSON.stringify(sourceOf(before));
}

const FIELDS: Record<string, Field> = {
  id: "id", name: "name", location: "location", type: "kind", url: "url", host: "host", port: "port", path: "path", username: "username", password: "password", tls_fingerprint: "fingerprint",
  on_demand: "onDemand", max_viewers: "maxViewers", rtsp_transport: "transport", jpeg_fps: "jpegFps", substream_url: "substream",
};

/** The field that an error of the server is about; `undefined` where it is about none. */
export function fieldOf(code: string, message: string, form: Form): Field | undefined {
  const address: Field = form.kind === "mjpeg" || form.whole ? "url" : "host";
  switch (code) {
    case "bad_camera_id":
    case "camera_exists":
      return "id";
    case "refused_source":
    case "refused":
    case "unreachable":
    case "timeout":
      return address;
    case "unauthorized":
      return "password";
    case "not_found":
      return address === "host" ? "path" : "url";
  }
  if (/password has to be given/i.test(message)) return "password";
  const name = /^(?:source\.)?([a-z_]+)\b/i.exec(message)?.[1]?.toLowerCase() ?? "";
  const field = FIELDS[name];
  // The address is typed in other fields than the server names.
  if (field === "url" && address === "host") return "host";
  return field;
}
