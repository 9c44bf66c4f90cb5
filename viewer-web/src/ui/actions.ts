// What a person can do with one camera, however it is asked for: by a tool, by a key.

import type { Camera } from "../camera.ts";
import { restSource } from "../replay/rest-source.ts";
import { jpegOf } from "../video/grab.ts";
import type { Wall } from "../wall.ts";

/** Longer than this nobody waits for a picture to save. */
const SOURCE_MS = 3_000;
const JPEG = "image/jpeg";

/** Whether the browser can show a canvas in a window of its own. */
export const hasPictureInPicture = typeof document !== "undefined" && document.pictureInPictureEnabled === true && "captureStream" in HTMLCanvasElement.prototype;

/**
 * Saves what is newest: of a video that plays, its picture; else the JPEG byte for byte as the camera sent it, though
 * what is shown here may be a smaller one, which is saved only where the server no longer has the other. False where
 * there is none.
 */
export async function saveSnapshot(wall: Wall, camera: Camera): Promise<boolean> {
  const newest = (await playing(camera)) ?? (await received(wall, camera));
  if (newest === undefined) return false;
  const url = URL.createObjectURL(newest.jpeg);
  const link = document.createElement("a");
  link.href = url;
  link.download = snapshotName(camera.id, new Date(newest.takenMs || Date.now()));
  link.click();
  // Once the browser has begun to save.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return true;
}

interface Snapshot {
  jpeg: Blob;
  takenMs: number;
}

async function playing(camera: Camera): Promise<Snapshot | undefined> {
  const video = camera.player.value?.video;
  const jpeg = video === undefined ? undefined : await jpegOf(video);
  return jpeg && { jpeg: new Blob([jpeg], { type: JPEG }), takenMs: Date.now() };
}

async function received(wall: Wall, camera: Camera): Promise<Snapshot | undefined> {
  const picture = await wall.picture(camera);
  if (picture === undefined) return undefined;
  const { seq, jpeg, takenMs } = picture;
  const signal = AbortSignal.timeout(SOURCE_MS);
  const source = seq === undefined ? "gone" : await restSource(camera.id).fetch(Number(seq), signal).catch(() => "gone" as const);
  return { jpeg: source === "gone" ? new Blob([jpeg], { type: JPEG }) : source, takenMs };
}

/** `door-2026-11-21-14-03-22.jpg`, by this machine's clock. */
export function snapshotName(camera: string, taken: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const date = [taken.getFullYear(), two(taken.getMonth() + 1), two(taken.getDate())];
  return `${[camera, ...date, two(taken.getHours()), two(taken.getMinutes()), two(taken.getSeconds())].join("-")}.jpg`;
}

/** The browser's own full screen for this element, or back out of it. */
export async function toggleFullscreen(element: HTMLElement): Promise<void> {
  if (document.fullscreenElement !== null) await document.exitFullscreen();
  else await element.requestFullscreen();
}

/** Shows the camera in a small window above all others, or closes it. */
export async function togglePictureInPicture(camera: Camera): Promise<void> {
  if (camera.floating.value) {
    await document.exitPictureInPicture();
    return;
  }
  const playing = camera.player.value?.video;
  if (playing !== undefined) {
    await playing.requestPictureInPicture();
    return;
  }
  const video = document.createElement("video");
  video.muted = true;
  video.srcObject = camera.canvas.captureStream();
  const end = (): void => {
    for (const track of (video.srcObject as MediaStream).getTracks()) track.stop();
    camera.floating.set(false);
  };
  try {
    await video.play();
    await video.requestPictureInPicture();
    video.addEventListener("leavepictureinpicture", end, { once: true });
    camera.floating.set(true);
  } catch (error) {
    end();
    throw error;
  }
}
