// The camera itself: listing, opening, and plain words for what goes wrong with it.

export interface CameraChoice {
  deviceId: string;
  label: string;
}

/** A camera that could not be opened or was lost, in words for a person. */
export class CameraError extends Error {
  /** Whether plugging a camera in, or freeing it, can mend it without the person coming back. */
  readonly mayReturn: boolean;

  constructor(message: string, mayReturn: boolean) {
    super(message);
    this.name = "CameraError";
    this.mayReturn = mayReturn;
  }
}

/** Browsers hide the interface altogether on insecure pages. */
function devices(): MediaDevices | undefined {
  return (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
}

/** The cameras there are. Without permission, browsers give no names; then they are numbered. */
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

/**
 * Opens a camera, or the browser's default where `deviceId` is empty. The caller stops the track.
 * Throws a `CameraError`.
 */
export async function openCamera(deviceId: string, wanted: { width: number; height: number; fps: number }): Promise<MediaStreamTrack> {
  const source = devices();
  if (source === undefined) throw new CameraError(whyNoDevices(), false);
  try {
    const stream = await source.getUserMedia({
      audio: false,
      video: {
        width: { ideal: wanted.width },
        height: { ideal: wanted.height },
        frameRate: { ideal: wanted.fps },
        ...(deviceId === "" ? {} : { deviceId: { exact: deviceId } }),
      },
    });
    const [track] = stream.getVideoTracks();
    if (track === undefined) throw new CameraError("The browser gave no picture from this camera.", true);
    return track;
  } catch (error) {
    throw error instanceof CameraError ? error : describeCameraError(error);
  }
}

function whyNoDevices(): string {
  return globalThis.isSecureContext
    ? "This browser cannot use cameras."
    : "Browsers open cameras only on secure pages. Open this page over https, or on the camera's own computer as http://localhost.";
}

/** The browser's error names, in words that say what to do. */
export function describeCameraError(error: unknown): CameraError {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return new CameraError("The camera is blocked for this page. Allow it beside the page's address, then start again.", false);
    case "NotFoundError":
      return new CameraError("No camera found. Plug one in; the page starts by itself when it appears.", true);
    case "OverconstrainedError":
      return new CameraError("The chosen camera is not there. Plug it in, or choose another.", true);
    case "NotReadableError":
    case "AbortError":
      return new CameraError("The camera does not answer. Another program may be using it; close that, then start again.", true);
    default:
      return new CameraError(`The camera could not be opened${error instanceof Error && error.message !== "" ? `: ${error.message}` : "."}`, false);
  }
}
