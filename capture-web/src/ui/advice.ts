// What to do when the camera cannot be had: for each trouble, steps that a person can take. No DOM.

import type { TroubleKind } from "../media/trouble.ts";

/** Something to do; `code` is to be typed or pasted as it is. */
export interface Step {
  text: string;
  code?: string;
}

/** Where the page is, as far as the advice depends on it. */
export interface Place {
  /** As in `location`. */
  origin: string;
  port: string;
  /** Inside another site's page. */
  framed: boolean;
  system: "ios" | "android" | "desktop";
}

export function placeOf(window: { location: { origin: string; port: string }; navigator: { userAgent: string; maxTouchPoints: number }; framed: boolean }): Place {
  const { userAgent, maxTouchPoints } = window.navigator;
  // iPads call themselves Macintosh; no Mac has a touch screen.
  const ios = /iPhone|iPad|iPod/.test(userAgent) || (/Macintosh/.test(userAgent) && maxTouchPoints > 1);
  return {
    origin: window.location.origin,
    port: window.location.port,
    framed: window.framed,
    system: ios ? "ios" : /Android/.test(userAgent) ? "android" : "desktop",
  };
}

const ALLOW: Readonly<Record<Place["system"], readonly Step[]>> = {
  desktop: [
    { text: "Press the icon left of the page's address and set Camera to Allow." },
    { text: "Press Try again, if the page does not start by itself." },
  ],
  android: [
    { text: "Tap the icon left of the page's address, then Permissions, and allow Camera." },
    { text: "If Camera is not listed there: Android's Settings, Apps, this browser, Permissions, Camera." },
    { text: "Tap Try again." },
  ],
  ios: [
    { text: "Tap the page menu in the address bar, then Website Settings, and set Camera to Allow." },
    { text: "If it is not there: Settings, Apps, Safari, Camera." },
    { text: "Tap Try again." },
  ],
};

const FRAMED: Step = { text: "This page is inside another one, which has to pass the camera on:", code: '<iframe allow="camera" …>' };

const CLOSE_OTHERS: readonly Step[] = [
  { text: "Close what else may use it: a video call, a camera app, another tab." },
  { text: "If that does not help: unplug it and plug it in again." },
];

/** The trouble in a few words. */
export const TROUBLES: Readonly<Record<TroubleKind, string>> = {
  denied: "Camera blocked",
  "system-denied": "Camera blocked by the system",
  insecure: "Page not secure",
  none: "No camera found",
  missing: "Chosen camera not found",
  "in-use": "Camera in use",
  unplugged: "Camera gone",
  stalled: "Camera stands still",
  encoder: "Pictures cannot be encoded",
  unsupported: "No cameras in this browser",
  unknown: "Camera did not open",
};

export function advise(kind: TroubleKind, place: Place): readonly Step[] {
  switch (kind) {
    case "denied":
      return place.framed ? [FRAMED, ...ALLOW[place.system]] : ALLOW[place.system];
    case "system-denied":
      return [
        { text: "Open the system's settings, Privacy, Camera, and allow it for this browser." },
        { text: "Start the browser again, then come back to this page." },
      ];
    case "insecure":
      return secureSteps(place);
    case "none":
      return [
        { text: "Plug a camera in, or open its shutter; some laptops switch it off with a key." },
        { text: "In a virtual machine or a remote desktop: pass the camera through to it." },
      ];
    case "missing":
    case "unplugged":
      return [{ text: "Plug it in again, or choose another camera." }];
    case "in-use":
    case "stalled":
      return CLOSE_OTHERS;
    case "encoder":
      return [{ text: "Choose a smaller size and press Try again." }, { text: "If that does not help: use another browser, such as a new Chrome, Firefox or Safari." }];
    case "unsupported":
      return [{ text: "Open this page in a new Chrome, Edge, Firefox or Safari." }];
    case "unknown":
      return [{ text: "Press Try again, or choose another camera." }];
  }
}

function secureSteps({ origin, port, system }: Place): Step[] {
  const local = `http://localhost${port === "" ? "" : `:${port}`}/`;
  const usb: Step = { text: `On Android, over USB: run this on the server's computer, then open ${local} on the phone.`, code: `adb reverse tcp:${port || "80"} tcp:${port || "80"}` };
  const here: Step = { text: "On the server's own computer, open", code: local };
  const flag: Step = { text: `To try it out in Chrome: add ${origin} here, and start it again.`, code: "chrome://flags/#unsafely-treat-insecure-origin-as-secure" };
  const proxy: Step = { text: "To stay: put a proxy with a certificate before the server and open the page as https://…" };
  switch (system) {
    case "ios":
      return [proxy];
    case "android":
      return [usb, flag, proxy];
    case "desktop":
      return [here, usb, flag, proxy];
  }
}
