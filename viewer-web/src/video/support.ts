// What this browser can play, asked from the browser itself.

import type { VideoInfo } from "../listing.ts";
import type { VideoRung } from "./way.ts";

const NAMES: Record<string, string> = { h264: "H.264", h265: "H.265" };

/** `H.264`, as people write it. */
export function codecName(codec: string): string {
  return NAMES[codec] ?? codec.toUpperCase();
}

/** Why this way cannot play such a video here; `undefined` where it can, or where that has to be tried. */
export function whyNot(rung: VideoRung, video: VideoInfo): string | undefined {
  const name = codecName(video.codec);
  if (rung === "whep") {
    if (typeof RTCPeerConnection !== "function") return "This browser has no WebRTC.";
    // What browsers offer of H.265 over WebRTC is no reason to ask: the server passes H.264 on only.
    if (video.codec !== "h264") return `${name} does not go over WebRTC.`;
    const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs;
    return codecs === undefined || codecs.some((codec) => codec.mimeType.toLowerCase() === "video/h264") ? undefined : `This browser does not play ${name} over WebRTC.`;
  }
  const sources = mediaSource();
  if (sources === undefined) return "This browser cannot play HLS from a script.";
  const codecs = [video.codecs, ...(video.audio === undefined ? [] : [video.audio])].join(",");
  return video.codecs === "" || sources.isTypeSupported(`video/mp4; codecs="${codecs}"`) ? undefined : `This browser does not play ${name}.`;
}

/** On iPhones it goes by another name. */
function mediaSource(): typeof MediaSource | undefined {
  const scope = globalThis as { MediaSource?: typeof MediaSource; ManagedMediaSource?: typeof MediaSource };
  return scope.ManagedMediaSource ?? scope.MediaSource;
}
