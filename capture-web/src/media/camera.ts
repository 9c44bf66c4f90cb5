// The camera itself: listing, choosing, opening. What goes wrong with it is in trouble.ts.

import { CameraError, describeCameraError, whyNoDevices } from "./trouble.ts";

export interface CameraChoice {
  deviceId: string;
  label: string;
}

/** What the open camera can do, where the browser tells. Sizes in pixels, in the camera's own direction. */
export interface CameraOffers {
  width: number;
  height: number;
}

export interface CameraWish {
  /** As in `Options`. */
  device: string;
  width: number;
  height: number;
  fps: number;
}

/** Browsers hide the interface altogether on insecure pages. */
function devices(): MediaDevices | undefined {
  return (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
}

/** The cameras there are. Without permission, browsers give no names and at most one nameless device. */
export async function listCameras(): Promise<CameraChoice[]> {
  const all = (await devices()?.enumerateDevices()) ?? [];
  return all
    .filter((device) => device.kind === "videoinput" && device.deviceId !== "")
    .map((device, index) => ({ deviceId: device.deviceId, label: device.label || `Camera ${index + 1}` }));
}

/** Calls `changed` whenever a camera is plugged in or out; returns the release. */
export function watchCameras(changed: () => void): () => void {
  const source = devices();
  source?.addEventListener("devicechange", changed);
  return () => source?.removeEventListener("devicechange", changed);
}

/** The device that is meant: by its id, or by a part of its name, whatever the case. */
export function findCamera(device: string, cameras: readonly CameraChoice[]): CameraChoice | undefined {
  const wanted = device.toLowerCase();
  return cameras.find(({ deviceId }) => deviceId === device) ?? cameras.find(({ label }) => label.toLowerCase().includes(wanted));
}

const FACING: Readonly<Record<string, string>> = { front: "user", back: "environment" };

/** Opens a camera. The caller stops the track. Throws a `CameraError`. */
export async function openCamera(wish: CameraWish): Promise<MediaStreamTrack> {
  const source = devices();
  if (source === undefined) throw whyNoDevices() ?? new CameraError("unsupported", "This browser cannot use cameras.");
  try {
    return await open(source, wish, await constraintOf(source, wish));
  } catch (error) {
    throw error instanceof CameraError ? error : describeCameraError(error, wish.device !== "");
  }
}

async function open(source: MediaDevices, wish: Omit<CameraWish, "device">, which: MediaTrackConstraints): Promise<MediaStreamTrack> {
  const video = { width: { ideal: wish.width }, height: { ideal: wish.height }, frameRate: { ideal: wish.fps }, ...which };
  const [track] = (await source.getUserMedia({ audio: false, video })).getVideoTracks();
  if (track === undefined) throw new CameraError("stalled", "The browser gave no picture from this camera.");
  return track;
}

async function constraintOf(source: MediaDevices, wish: CameraWish): Promise<MediaTrackConstraints> {
  const { device } = wish;
  if (device === "") return {};
  const facing = FACING[device];
  // A laptop has no back camera; whatever it has is better than none.
  if (facing !== undefined) return { facingMode: { ideal: facing } };
  let found = findCamera(device, await listCameras());
  if (found === undefined) {
    // Names are told only once a camera was opened.
    (await open(source, wish, {})).stop();
    found = findCamera(device, await listCameras());
  }
  return { deviceId: { exact: found?.deviceId ?? device } };
}

export function offersOf(track: MediaStreamTrack): CameraOffers | undefined {
  // Firefox does not tell.
  const { width, height } = track.getCapabilities?.() ?? {};
  return width?.max === undefined || height?.max === undefined ? undefined : { width: width.max, height: height.max };
}

/** Whether this is a camera that looks at whoever holds the phone: people expect to see those mirrored. */
export function looksAtPerson(track: MediaStreamTrack): boolean {
  return track.getSettings().facingMode === "user";
}
