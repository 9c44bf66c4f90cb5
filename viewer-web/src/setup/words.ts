// How a camera's connection is, in words. No DOM.

import type { Tone } from "@framecast/shared/components";
import { sentence } from "@framecast/shared/words";
import { codecName } from "../video/support.ts";
import type { Found, SetUpCamera, StreamStatus } from "./api.ts";

export interface CameraWords {
  tone: Tone;
  /** One or two words. */
  state: string;
  /** Why, and what follows; empty where there is nothing to say. */
  detail: string;
  /** Codec, size, pictures a second, viewers: what is known. */
  facts: string[];
}

const SOURCES = { push: "Publishes by itself", rtsp: "RTSP", mjpeg: "MJPEG over HTTP" } as const;

/** `status` is of a camera that the server connects to; `nowMs` on the server's clock. */
export function describeCamera(camera: SetUpCamera, status: StreamStatus | undefined, nowMs: number): CameraWords {
  const retry = status?.nextRetryMs === undefined || status.nextRetryMs <= nowMs ? "" : `Next try in ${Math.ceil((status.nextRetryMs - nowMs) / 1000)} s.`;
  const words = (tone: Tone, state: string, detail: string): CameraWords => ({ tone, state, detail: detail.trim(), facts: factsOf(camera, status) });
  const why = sentence(status?.lastError ?? camera.reason ?? "");
  switch (status?.state) {
    case "standby":
      return words("still", "Standing by", status.lastError === undefined ? "Connects when somebody watches." : `The last time: ${why}`);
    case "connecting":
      // Where there is no more to say than that.
      return words("wait", "Connecting", why === "Connecting." ? "" : why);
    case "stopped":
      return words("still", "Stopped", "Nobody can watch it until it is started.");
    case "waiting":
      return words("bad", "Offline", `${why} ${retry}`);
    case undefined:
    default: // Nothing said, or what a newer server may say: told from the rest.
  }
  if (camera.online || status?.active === true) return words("live", "Live", "");
  const standing = status !== undefined && status.lastError === undefined && camera.onDemand && camera.source?.kind !== "push";
  if (standing || /standing by/i.test(camera.reason ?? "")) return words("still", "Standing by", "Connects when somebody watches.");
  return words("bad", "Offline", `${why} ${retry}`);
}

function factsOf(camera: SetUpCamera, status: StreamStatus | undefined): string[] {
  const facts: string[] = [camera.source === undefined ? SOURCES.push : SOURCES[camera.source.kind]];
  const codec = status?.codec ?? camera.video?.codec;
  if (codec !== undefined) facts.push(codecName(codec));
  const width = status?.width ?? camera.video?.width ?? camera.width;
  const height = status?.height ?? camera.video?.height ?? camera.height;
  if (width !== undefined && height !== undefined && width > 0) facts.push(`${width}×${height}`);
  const fps = Math.round(status?.fps ?? camera.video?.fps ?? camera.fps);
  if (fps > 0) facts.push(`${fps} fps`);
  const bitrate = status?.bitrate ?? camera.video?.bitrate ?? 0;
  if (bitrate > 0) facts.push(`${(bitrate / 1e6).toFixed(1)} Mbit/s`);
  const viewers = status?.viewers ?? camera.viewers;
  facts.push(viewers === 1 ? "1 viewer" : `${viewers} viewers`);
  const reconnects = status?.reconnects ?? 0;
  if (reconnects > 0) facts.push(reconnects === 1 ? "connected anew once" : `connected anew ${reconnects} times`);
  return facts;
}

/** What a test found: `H.264, 1920×1080, 30 fps, with sound. First picture after 0.4 s.` */
export function describeFound({ codec, width, height, fps, audio, tookMs }: Found): string {
  const parts = [codecName(codec), ...(width > 0 ? [`${width}×${height}`] : []), ...(fps === undefined || fps <= 0 ? [] : [`${Math.round(fps)} fps`]), audio === undefined ? "no sound" : "with sound"];
  const took = tookMs === undefined ? "" : ` First picture after ${(tookMs / 1000).toFixed(1)} s.`;
  const note = codec === "h265" ? " Not every browser plays H.265; H.264 plays everywhere." : "";
  return `${parts.join(", ")}.${took}${note}`;
}
