// What goes wrong with cameras, sorted by what a person can do about it. The advice itself is the page's
// (ui/advice.ts).

export type TroubleKind =
  /** The person or the browser's settings said no. */
  | "denied"
  /** The operating system said no, whatever the browser thinks. */
  | "system-denied"
  | "none"
  /** There are cameras, but not the chosen one. */
  | "missing"
  | "in-use"
  | "insecure"
  | "unsupported"
  | "unplugged"
  /** Open, but no pictures come. */
  | "stalled"
  | "encoder"
  | "unknown";

/** These can end without the person coming back to the page. */
const MAY_RETURN: ReadonlySet<TroubleKind> = new Set<TroubleKind>(["none", "missing", "in-use", "unplugged", "stalled"]);

/** A camera that could not be opened or was lost. */
export class CameraError extends Error {
  readonly kind: TroubleKind;

  constructor(kind: TroubleKind, message: string) {
    super(message);
    this.name = "CameraError";
    this.kind = kind;
  }

  /** Whether trying again by itself makes sense. */
  get mayReturn(): boolean {
    return MAY_RETURN.has(this.kind);
  }
}

/** Why the browser hides its cameras from this page; `undefined` where it does not. */
export function whyNoDevices(): CameraError | undefined {
  if ((navigator as { mediaDevices?: MediaDevices }).mediaDevices !== undefined) return undefined;
  return globalThis.isSecureContext
    ? new CameraError("unsupported", "This browser cannot use cameras.")
    : new CameraError("insecure", "Browsers open cameras only on https:// pages and on localhost.");
}

/** The browser's error names, in words. `chosen`: whether a certain camera was asked for. */
export function describeCameraError(error: unknown, chosen = false): CameraError {
  const named = error instanceof Error || error instanceof DOMException;
  const text = named ? error.message : "";
  switch (named ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      // Chromium's words where the system's privacy settings are the reason.
      return /system/i.test(text)
        ? new CameraError("system-denied", "The operating system keeps the camera from this browser.")
        : new CameraError("denied", "The camera is blocked for this page.");
    case "NotFoundError":
      return new CameraError("none", "This device has no camera that is switched on. The page starts by itself when one appears.");
    case "OverconstrainedError":
      return chosen
        ? new CameraError("missing", "The chosen camera is not there. The page starts by itself when it appears.")
        : new CameraError("unknown", "The camera offers no picture that fits.");
    case "NotReadableError":
    case "AbortError":
      return new CameraError("in-use", "The camera does not answer; another program may be using it. The page tries again by itself.");
    default:
      return new CameraError("unknown", text === "" ? "The camera could not be opened." : `The camera could not be opened: ${text}`);
  }
}
