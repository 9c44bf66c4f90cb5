// Video in a window of its own, picture in picture: it goes on where another element takes over.

import type { Observable } from "@framecast/shared/observable";

/** Chromium refuses now and then, without a reason, what it grants a moment later. */
const AGAIN_MS = 200;
/** A browser that has not answered by then is asked anew. */
const ANSWER_MS = 1_000;
/** No longer: the window shows the old element meanwhile. */
const GIVE_UP_MS = 4_000;

/** Moves the window from one element to the other, if it shows the first, and then ends that one. */
export function handOver(from: HTMLVideoElement, to: HTMLVideoElement, end: () => void): void {
  if (document.pictureInPictureElement === from) void move(from, to).finally(end);
  else end();
}

async function move(from: HTMLVideoElement, to: HTMLVideoElement): Promise<void> {
  const untilMs = performance.now() + GIVE_UP_MS;
  // Once the window is closed, it stays so.
  const isDue = (): boolean => document.pictureInPictureElement === from && to.isConnected && performance.now() < untilMs;
  while (isDue()) {
    // Nobody has to press anything for this while there is a window.
    const asked = to.requestPictureInPicture().catch(() => undefined);
    await Promise.race([asked, after(ANSWER_MS)]);
    if (isDue()) await after(AGAIN_MS);
  }
}

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Keeps `floating` true while a video of this stage has the window. */
export function followFloating(stage: HTMLElement, floating: Observable<boolean>): void {
  stage.addEventListener("enterpictureinpicture", ({ target }) => {
    floating.set(true);
    // At the element: one that is taken out of the stage is no longer heard there.
    target?.addEventListener("leavepictureinpicture", () => floating.set(stage.contains(document.pictureInPictureElement)), { once: true });
  });
}
