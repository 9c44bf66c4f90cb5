// What the element says over its picture. No DOM.

import { formatDuration, formatSince, sentence } from "@framecast/shared/words";
import type { Phase, Refused } from "./player.ts";
import type { Presence } from "./source/source.ts";

/** A picture older than this is not live: what is shown says how old it is. */
const LIVE_MS = 2_000;

/** The badge, and what stands over the picture. */
const REFUSALS: Record<Refused, [badge: string, title: string]> = {
  refused: ["Refused", "The server refuses this page"],
  full: ["Full", "All seats are taken"],
  unsupported: ["No pictures", "No pictures"],
};

export interface Seen {
  /** `undefined` while out of sight. */
  phase: Phase | undefined;
  /** `null`: not told yet; `undefined`: the server does not know the camera. */
  presence: Presence | undefined | null;
  /** Of the picture; `undefined` without one. */
  ageMs: number | undefined;
  camera: string;
  /** Now, on the server's clock, Unix milliseconds. */
  nowMs: number;
}

export type Tone = "live" | "wait" | "bad";

export interface Status {
  tone: Tone;
  /** Short: for the corner. */
  badge: string;
  /** Over the picture; empty where the picture speaks for itself. */
  title: string;
  detail: string;
  /** Whether pictures of the camera can come. */
  online: boolean;
}

export function describe({ phase, presence, ageMs, camera, nowMs }: Seen): Status {
  const old = ageMs === undefined ? "" : `${formatDuration(ageMs)} old`;
  const say = (tone: Tone, badge: string, title = "", detail = ""): Status => ({ tone, badge, title, detail, online: false });
  if (phase === undefined) return say("wait", old || "Paused");
  switch (phase.name) {
    case "wrong":
      return say("bad", "Error", "This camera cannot be shown", phase.reason);
    case "refused": {
      const [badge, title] = REFUSALS[phase.by];
      return say("bad", old || badge, title, phase.reason);
    }
    case "waiting":
      return say("bad", old || "No connection", "No connection to the server", `${phase.reason} Trying again.`);
    case "connecting":
      return say("wait", old || "Connecting", phase.after === undefined ? "" : "No connection to the server", phase.after ?? "");
    case "up":
  }
  if (presence === null) return say("wait", old || "Connecting");
  if (presence === undefined) return say("bad", "Offline", `Waiting for ${camera}`, "The server does not know this camera yet.");
  if (presence.connecting === true) return say("wait", old || "Connecting", "Connecting to the camera");
  if (!presence.online) {
    const since = presence.sinceMs === 0 ? "" : ` since ${formatSince(presence.sinceMs, nowMs)}`;
    return say("bad", "Offline", `Offline${since}`, sentence(presence.reason));
  }
  const live = ageMs !== undefined && ageMs < LIVE_MS;
  // Online, and yet nothing that could be shown: of H.265 there are no pictures.
  if (ageMs === undefined && presence.reason !== "") return { ...say("bad", "No pictures", "No pictures", sentence(presence.reason)), online: true };
  if (ageMs === undefined) return { ...say("wait", "Waiting", "Waiting for the first picture"), online: true };
  return { ...say(live ? "live" : "wait", live ? "LIVE" : old), online: true };
}
