// What the server's list says of cameras beyond what streams with the pictures: which are set up, where from, and
// which video they have. Asked for anew when something changed, and now and then.

import { httpUrl } from "@framecast/shared/address";
import { Observable } from "@framecast/shared/observable";
import { Releases } from "@framecast/shared/releases";
import { asNumber, asText, parseMessage, type Message } from "@framecast/shared/wire/json";

/** While cameras with video are known, so that a change of their codec is seen. */
const EVERY_MS = 5_000;
/** Several changes at once are one. */
const SETTLE_MS = 150;
const RETRY_MS = 3_000;

export type SourceKind = "push" | "rtsp" | "mjpeg";

export interface VideoInfo {
  /** `h264`, `h265`. */
  codec: string;
  /** As in RFC 6381, such as `avc1.64001f`. */
  codecs: string;
  /** The sound's, as in RFC 6381; `undefined` where there is none. */
  audio: string | undefined;
  width: number;
  height: number;
  fps: number;
  /** Bits a second. */
  bitrate: number;
  /** Grows when the camera connects anew or changes its format. */
  generation: number;
}

export interface Listed {
  id: string;
  /** `undefined` for a camera that nobody set up. */
  source: SourceKind | undefined;
  /** Once it was connected. */
  video: VideoInfo | undefined;
  /** Number of its newest picture, 0 before the first. */
  seq: number;
}

/** Whether it is to be had as video at all. */
export function hasVideo(listed: Listed | undefined): boolean {
  return listed !== undefined && (listed.source === "rtsp" || listed.video !== undefined);
}

export class Listing {
  /** `undefined` until the server has answered. */
  readonly cameras = new Observable<ReadonlyMap<string, Listed> | undefined>(undefined);
  readonly #releases = new Releases();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;
  #again = false;

  start(): void {
    this.#releases.add(() => clearTimeout(this.#timer));
    this.#releases.listen(document, "visibilitychange", () => this.changed());
    this.#in(0);
  }

  stop(): void {
    this.#releases.close();
  }

  /** Something is new: asks soon. */
  changed(): void {
    if (this.#asking) this.#again = true;
    else this.#in(SETTLE_MS);
  }

  #in(waitMs: number): void {
    clearTimeout(this.#timer);
    if (!this.#releases.closed) this.#timer = setTimeout(() => this.#ask(), waitMs);
  }

  #ask(): void {
    if (document.visibilityState === "hidden" && this.cameras.value !== undefined) return;
    this.#asking = true;
    fetchListed()
      .then((cameras) => {
        this.cameras.set(cameras);
        return [...cameras.values()].some((camera) => hasVideo(camera)) ? EVERY_MS : undefined;
      }, () => RETRY_MS)
      .then((nextMs) => {
        this.#asking = false;
        if (this.#again) this.#in(SETTLE_MS);
        else if (nextMs !== undefined) this.#in(nextMs);
        this.#again = false;
      })
      .catch(() => undefined);
  }
}

async function fetchListed(): Promise<ReadonlyMap<string, Listed>> {
  const response = await fetch(httpUrl("api/cameras", import.meta.env.VITE_VIEW_URL, location.href), { cache: "no-store" });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return readListed(parseMessage(await response.text()));
}

/** Reads the answer of `GET /api/cameras`; what is not there or not known is left out. */
export function readListed(answer: Message | undefined): ReadonlyMap<string, Listed> {
  const list: unknown = answer?.["cameras"];
  const listed = (Array.isArray(list) ? list : []).flatMap((item: unknown): Listed[] => {
    const camera = asObject(item);
    const id = asText(camera?.["id"]);
    if (camera === undefined || id === undefined) return [];
    return [{ id, source: readKind(asObject(camera["source"])?.["type"]), video: readVideo(camera["video"]), seq: asNumber(camera["seq"]) ?? 0 }];
  });
  return new Map(listed.map((camera) => [camera.id, camera]));
}

export function readKind(value: unknown): SourceKind | undefined {
  return value === "push" || value === "rtsp" || value === "mjpeg" ? value : undefined;
}

export function readVideo(value: unknown): VideoInfo | undefined {
  const video = asObject(value);
  const codec = asText(video?.["codec"]);
  if (video === undefined || codec === undefined) return undefined;
  const number = (name: string): number => asNumber(video[name]) ?? 0;
  return {
    codec: codec.toLowerCase(),
    codecs: asText(video["codecs"]) ?? "",
    audio: asText(video["audio"]),
    width: number("width"),
    height: number("height"),
    fps: number("fps"),
    bitrate: number("bitrate"),
    generation: number("generation"),
  };
}

export function asObject(value: unknown): Message | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Message) : undefined;
}
