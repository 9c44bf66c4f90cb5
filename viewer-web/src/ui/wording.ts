// States in words for a person. No DOM.

import type { Tone } from "@framecast/shared/components";
import { formatAge, formatDuration, formatSince, sentence } from "@framecast/shared/words";
import type { CameraInfo, Refusal } from "../feed/feed.ts";
import type { FeedKind, LinkState } from "../feed/link.ts";
import type { Rung, Why } from "../video/way.ts";

export interface LinkWording {
  tone: Tone;
  title: string;
  detail: string;
  /** Read aloud when it changes: without the counting seconds. */
  spoken: string;
}

const WAYS: Record<FeedKind, Omit<LinkWording, "tone">> = {
  ws: { title: "Live · WebSocket", detail: "Frames stream over one WebSocket.", spoken: "Connected." },
  mjpeg: { title: "Live · MJPEG", detail: "No WebSocket can be opened here, so frames stream over HTTP; of many cameras only four at full rate.", spoken: "Connected by MJPEG." },
  rest: { title: "Live · polling", detail: "Nothing can stream here, so frames are fetched one by one over HTTP.", spoken: "Connected by polling." },
};

export function describeLink(state: LinkState, nowMs: number): LinkWording {
  switch (state.phase) {
    case "connecting":
      return { tone: "wait", title: "Connecting", detail: state.after ?? "Reaching the server.", spoken: state.after === undefined ? "" : `${state.after} Reconnecting.` };
    case "live":
      return { tone: "live", ...WAYS[state.kind], ...(state.because === undefined ? {} : { detail: `${state.because} So frames are fetched one by one over HTTP.` }) };
    case "reconnecting": {
      const seconds = Math.max(0, Math.ceil((state.atUnixMs - nowMs) / 1000));
      return { tone: "bad", title: `Reconnecting in ${seconds} s`, detail: state.reason, spoken: `${state.reason} Reconnecting.` };
    }
  }
}

/** The word on a picture: LIVE, or how old it is when no newer one comes. */
export function describeBadge(moving: boolean, ageMs: number | undefined): { text: string; tone: "live" | "wait" } {
  return moving ? { text: "LIVE", tone: "live" } : { text: ageMs === undefined ? "STILL" : `${formatAge(ageMs)} old`, tone: "wait" };
}

const QUALITIES: Record<string, string> = { source: "source", high: "high", medium: "medium", low: "low" };

/** The rung in use; empty where the server does not say, or says one that this page does not know. */
export function describeQuality(quality: string | undefined): string {
  return QUALITIES[quality ?? ""] ?? "";
}

const PLAYS: Record<Rung, { title: string; detail: string }> = {
  whep: { title: "WebRTC", detail: "The camera's own video, over WebRTC" },
  hls: { title: "HLS", detail: "The camera's own video, over low-latency HLS" },
  jpeg: { title: "JPEG", detail: "Pictures that the server makes of the camera's video" },
};

/** How a camera's video comes; `undefined` for cameras that have none. */
export function describePlay(rung: Rung | undefined): { title: string; detail: string } | undefined {
  return rung === undefined ? undefined : PLAYS[rung];
}

const FULL = "All seats are taken";
/** The server's code for that. */
const AT_CAPACITY = "at_capacity";

/** What stands on the picture of a camera of which the server sends no pictures. */
export function describeRefusal({ code, reason }: Refusal): { title: string; detail: string } {
  const title = code === AT_CAPACITY ? FULL : "No pictures";
  return { title, detail: `${withoutAdvice(reason)} Trying again every 5 s.`.trim() };
}

/** This page tries again by itself. */
function withoutAdvice(reason: string): string {
  return sentence(reason.replace(/;? *try again later\.?$/i, ""));
}

/** Why a camera whose sound was asked for is not heard. */
export function describeNoSound({ reason, code }: Why): string {
  const taken = code === AT_CAPACITY;
  return `No sound: ${taken ? "it comes on a connection of its own, and all seats of this camera are taken." : reason}`;
}

/** What stands on the picture of a camera whose video is not to be had now. */
export function describeWaiting({ reason, code }: Why, leftMs: number): { title: string; detail: string } {
  if (leftMs === Number.POSITIVE_INFINITY) return { title: "Cannot be played here", detail: sentence(reason) };
  const seconds = Math.max(0, Math.ceil(leftMs / 1000));
  const again = seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again.";
  // The title says so already.
  const why = reason.replace(/^camera \S+ is offline: /i, "");
  return { title: code === AT_CAPACITY ? FULL : "Offline", detail: `${withoutAdvice(why)} ${again}`.trim() };
}

export function describeCameras(online: number, all: number): string {
  if (online === all) return all === 1 ? "1 camera, online" : `${all} cameras, all online`;
  return `${online} of ${all} online`;
}

/** What stands on an offline camera's picture; `nowMs` on the server's clock. */
export function describeOffline(info: CameraInfo, nowMs: number): { title: string; detail: string } {
  const since = info.sinceMs === 0 ? "" : ` since ${formatSince(info.sinceMs, nowMs)}`;
  const duration = info.sinceMs === 0 ? "" : `${formatDuration(nowMs - info.sinceMs)} ago`;
  return { title: `Offline${since}`, detail: [sentence(info.reason ?? "").replace(/\.$/, ""), duration].filter((part) => part !== "").join("\u00a0· ") };
}
