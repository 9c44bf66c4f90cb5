// One way to a camera's video, in an element of its own, from its opening to its end.

import { Releases } from "@framecast/shared/releases";
import type { OpenWay, VideoRung, Way, WayEnd, WayFigures } from "./way.ts";

const NO_FIGURES: WayFigures = { bytesPerSecond: 0, latencyMs: undefined };

export type AttemptWord = { say: "playing" } | ({ say: "end" } & WayEnd);

export class Attempt {
  readonly rung: VideoRung;
  readonly video: HTMLVideoElement;
  readonly releases = new Releases();
  #way: Way | undefined;

  /** The element is put into `stage`, unseen until `show`. */
  constructor(rung: VideoRung, camera: string, stage: HTMLElement, open: OpenWay, hear: (attempt: Attempt, word: AttemptWord) => void) {
    this.rung = rung;
    const video = document.createElement("video");
    this.video = video;
    video.className = "tile-video";
    video.muted = true;
    video.autoplay = true;
    video.playsInline = true;
    // The tile's button has the name; the element says nothing of its own.
    video.setAttribute("aria-hidden", "true");
    video.tabIndex = -1;
    stage.append(video);
    this.releases.add(() => {
      video.srcObject = null;
      video.remove();
    });
    this.#way = open(rung, camera, video, {
      onPlaying: () => hear(this, { say: "playing" }),
      onEnd: (end) => hear(this, { say: "end", ...end }),
    });
    this.releases.add(() => this.#way?.close());
  }

  get figures(): WayFigures {
    return this.#way?.figures ?? NO_FIGURES;
  }

  show(): void {
    this.video.dataset["shown"] = "true";
  }

  close(): void {
    this.releases.close();
  }
}
