// What a person can do with one camera, however it is asked for: by a tool, by a key.

import type { Camera } from "../camera.ts";
import { jpegOf } from "../video/grab.ts";
import type { Wall } from "../wall.ts";

/** Whether the browser can show a canvas in a window of its own. */
export const hasPictureInPicture = typeof document !== "undefined" && document.pictureInPictureEnabled === true && "captureStream" in HTMLCanvasElement.prototype;

/** Saves the newest picture, byte for byte as the camera sent it, or as its video shows it. False where there is none. */
export async function saveSnapshot(wall: Wall, camera: Camera): Promise<boolean> {
  const video = camera.player.value?.video;
  const jpeg = video === undefined ? undefined : await jpegOf(video);
  const picture = jpeg === undefined ? await wall.picture(camera) : { jpeg, takenMs: Date.now() };
  if (picture === undefined) return false;
  const url = URL.createObjectURL(new Blob([picture.jpeg], { type: "image/jpeg" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = snapshotName(camera.id, new Date(picture.takenMs || Date.now()));
  link.click();
  // Once the browser has begun to save.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return true;
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
    playing.addEventListener("leavepictureinpicture", () => camera.floating.set(false), { once: true });
    camera.floating.set(true);
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
