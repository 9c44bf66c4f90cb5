// Video in a window of its own, picture in picture: it goes on where another element takes over.

import type { Observable } from "@framecast/shared/observable";

/** Chromium refuses now and then, without a reason, what it grants a moment later. */
const AGAIN_MS = 200;
/** A browser that has not answered by then is asked anew. */
const ANSWER_MS = 1_000;
/** No longer: the window shows the old element meanwhile. */
const GIVE_UP_MS = 4_000;

/** Elements that the window is leaving, and where to: another change on the way has it go there instead. */
interface Move {
  from: HTMLVideoElement[];
  to: HTMLVideoElement;
  untilMs: number;
  ends: (() => void)[];
}

/** On their way, by where to. */
const moves = new Map<HTMLVideoElement, Move>();

/** Moves the window from one element to the other, if it shows the first or is to, and then ends that one. */
export function handOver(from: HTMLVideoElement, to: HTMLVideoElement, end: () => void): void {
  const before = moves.get(from);
  if (before === undefined && document.pictureInPictureElement !== from) return end();
  const move = before ?? { from: [], to, untilMs: 0, ends: [] };
  moves.delete(from);
  moves.set(to, move);
  // Not before the window is elsewhere: the browser may still be about to grant what it was asked for before.
  move.from.push(from);
  move.ends.push(end);
  move.to = to;
  move.untilMs = performance.now() + GIVE_UP_MS;
  if (before === undefined) void go(move);
}

async function go(move: Move): Promise<void> {
  // Once the window is closed, it stays so.
  const isDue = (): boolean => move.from.some((from) => from === document.pictureInPictureElement) && move.to.isConnected && performance.now() < move.untilMs;
  while (isDue()) {
    // Nobody has to press anything for this while there is a window.
    const asked = move.to.requestPictureInPicture().catch(() => undefined);
    await Promise.race([asked, after(ANSWER_MS)]);
    if (isDue()) await after(AGAIN_MS);
  }
  moves.delete(move.to);
  for (const end of move.ends) end();
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
