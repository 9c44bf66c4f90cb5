// The station's state in words for a person. No DOM.

import type { Tone } from "@framecast/shared/components";
import type { Path } from "../publish/session.ts";
import type { StationState } from "../station.ts";

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

export function describe(state: StationState, nowMs: number): Wording {
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
      return { tone: "wait", title: `Reconnecting in ${Math.max(0, Math.ceil((state.atMs - nowMs) / 1000))} s`, detail: state.reason };
    case "replaced":
      return { tone: "bad", title: "Replaced", detail: `${state.reason} Taking it back ends the other one.` };
    case "refused":
      return { tone: "bad", title: "Refused", detail: state.reason };
    case "camera-failed":
      return { tone: "bad", title: state.waits ? "Waiting for a camera" : "No camera", detail: state.reason };
  }
}
