// The station's state in words for a person. No DOM.

import type { Tone } from "@framecast/shared/components";
import { formatAge } from "@framecast/shared/words";
import type { EncoderSettings } from "../media/encoded.ts";
import type { Path, Steps } from "../publish/session.ts";
import type { Reason } from "../quality/control.ts";
import type { StationState } from "../station.ts";
import { TROUBLES } from "./advice.ts";

export interface Wording {
  tone: Tone;
  title: string;
  detail: string;
}

/** What is read aloud when the state changes: without the counting seconds. */
export function speak(state: StationState): string {
  const { title, detail } = describe(state, 0);
  return state.phase === "reconnecting" ? `Reconnecting. ${detail}` : `${title}. ${detail}`;
}

export const PATH_NAMES: Readonly<Record<Path, string>> = { webrtc: "WebRTC", websocket: "WebSocket" };

/** `online`: whether the device has any network, as browsers tell. */
export function describe(state: StationState, nowMs: number, online = true): Wording {
  switch (state.phase) {
    case "idle":
      return { tone: "still", title: "Not sending", detail: "Start, and this camera appears on the viewer page." };
    case "opening-camera":
      return { tone: "wait", title: "Opening the camera", detail: "The browser may ask for permission." };
    case "signaling":
      return { tone: "wait", title: "Signaling", detail: "Reaching the server." };
    case "connecting":
      return { tone: "wait", title: "Connecting", detail: `The server was reached; opening ${PATH_NAMES[state.path]}.` };
    case "live":
      return { tone: "live", title: `Live over ${PATH_NAMES[state.path]}`, detail: state.note ?? "Viewers see this camera now." };
    case "reconnecting":
      return {
        tone: "wait",
        title: `Reconnecting in ${Math.max(0, Math.ceil((state.atMs - nowMs) / 1000))} s`,
        detail: online ? state.reason : `${state.reason} This device has no network.`,
      };
    case "replaced":
      return { tone: "bad", title: "Replaced", detail: `${state.reason} Taking it back ends the other one.` };
    case "refused":
      return { tone: "bad", title: "Refused", detail: state.reason };
    case "camera-failed":
      return { tone: state.waits ? "wait" : "bad", title: TROUBLES[state.kind], detail: state.reason };
  }
}

const REASONS: Readonly<Record<Reason, string>> = {
  network: "the network does not take more",
  loss: "the network loses pictures",
  encoder: "this device cannot encode more",
};

export interface Quality extends EncoderSettings {
  encodeMs: number | undefined;
  fixed: boolean;
  level: number;
  reason: Reason | undefined;
}

/** What the pictures are encoded to, and why. */
export function describeQuality({ fixed, level, reason, quality, width, height, fps, encodeMs }: Quality): { title: string; detail: string } {
  const encoded = encodeMs === undefined ? "" : `, encoded in ${formatFine(encodeMs)}`;
  const detail = `${width} × ${height}, ${Math.round(fps)} fps, quality ${Math.round(quality * 100)} %${encoded}`;
  if (fixed) return { title: "Fixed", detail };
  if (level === 0) return { title: "As asked for", detail };
  return { title: reason === undefined ? "Lowered" : `Lowered: ${REASONS[reason]}`, detail };
}

/** Tenths where they tell something. */
export function formatFine(milliseconds: number): string {
  return milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : formatAge(milliseconds);
}

const ICE: Readonly<Record<RTCIceConnectionState, string>> = {
  new: "not begun",
  checking: "searching",
  connected: "connected",
  completed: "connected",
  disconnected: "interrupted",
  failed: "no way",
  closed: "closed",
};

const CHANNEL: Readonly<Record<RTCDataChannelState | "awaited", string>> = {
  awaited: "awaited",
  connecting: "opening",
  open: "open",
  closing: "closing",
  closed: "closed",
};

/** The steps to the server, each in a word or two; `–` where there is no attempt. */
export function describeSteps(steps: Steps | undefined): { signaling: string; ice: string; channel: string } {
  if (steps === undefined) return { signaling: "–", ice: "–", channel: "–" };
  return {
    signaling: steps.signaling,
    ice: steps.ice === undefined ? "not used" : ICE[steps.ice],
    channel: steps.channel === undefined ? "not used" : CHANNEL[steps.channel],
  };
}
