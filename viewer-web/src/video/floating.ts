// Video in a window of its own, picture in picture: it goes on where another element takes over.

import type { Observable } from "@framecast/shared/observable";

/** Moves the window from one element to the other, if it shows the first, and then ends that one. */
export function handOver(from: HTMLVideoElement, to: HTMLVideoElement, end: () => void): void {
  // Nobody has to press anything for this while there is a window.
  if (document.pictureInPictureElement === from) to.requestPictureInPicture().then(end, end);
  else end();
}

/** Keeps `floating` true while a video of this stage has the window. */
export function followFloating(stage: HTMLElement, floating: Observable<boolean>): void {
  stage.addEventListener("enterpictureinpicture", ({ target }) => {
    floating.set(true);
    // At the element: one that is taken out of the stage is no longer heard there.
    target?.addEventListener("leavepictureinpicture", () => floating.set(stage.contains(document.pictureInPictureElement)), { once: true });
  });
}
