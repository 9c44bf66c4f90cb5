// All cameras with video: which of them may play, and the pictures that stand where none does.

import { Releases } from "@framecast/shared/releases";
import type { Camera } from "../camera.ts";
import type { Picture } from "../engine/messages.ts";
import { hasVideo, type Listed } from "../listing.ts";
import { followFloating } from "./floating.ts";
import { jpegOf } from "./grab.ts";
import type { PlayChoice } from "./ladder.ts";
import { openWay } from "./open.ts";
import { Player } from "./player.ts";
import { Stills } from "./stills.ts";
import { Turns } from "./turns.ts";

/** Videos that play at a time: what a laptop decodes without dropping frames, and a phone. */
const MOST = 16;
const MOST_ON_PHONES = 6;

export interface VideosEvents {
  /** The camera's JPEG stream is wanted from now on, or no more. */
  onJpeg: (camera: Camera) => void;
  /** A picture for a tile that does not play. */
  onStill: (camera: Camera, picture: Picture) => void;
  serverNowUs: () => number | undefined;
}

export class Videos {
  readonly #choice: PlayChoice;
  readonly #most: number;
  readonly #events: VideosEvents;
  readonly #stills: Stills<Camera>;
  readonly #turns = new Turns(openWay);
  readonly #releases = new Releases();
  /** The page is left, and may be come back to. */
  #left = false;
  /** In sight, in the order they came into it. */
  readonly #inSight = new Set<Camera>();

  constructor(choice: PlayChoice, most: number | undefined, events: VideosEvents) {
    this.#choice = choice;
    this.#most = most ?? (matchMedia("(pointer: coarse)").matches ? MOST_ON_PHONES : MOST);
    this.#events = events;
    this.#stills = new Stills(events.onStill);
    // The server notices a viewer that has gone without a word only after seconds, and until then the viewer has its
    // place: this very page would find it taken when it is loaded anew.
    this.#releases.listen(window, "pagehide", () => this.#leave(true));
    this.#releases.listen(window, "pageshow", () => this.#leave(false));
    // Whatever a browser leaves out of the two: a page that is looked at plays.
    this.#releases.listen(document, "visibilitychange", () => {
      if (document.visibilityState === "visible") this.#leave(false);
    });
  }

  /** What the server's list says of a camera; `undefined` where it is not in it. */
  learned(camera: Camera, listed: Listed | undefined): void {
    const player = camera.player.value;
    if (!hasVideo(listed) || listed === undefined) {
      if (player !== undefined) this.#remove(camera);
      return;
    }
    (player ?? this.#add(camera)).learned(listed);
    this.#stills.learned(camera, listed, camera.player.value?.video === undefined && this.#inSight.has(camera));
  }

  want(camera: Camera, visible: boolean): void {
    if (visible === this.#inSight.has(camera)) return;
    if (visible) this.#inSight.add(camera);
    else {
      this.#inSight.delete(camera);
      camera.player.value?.want("none");
      this.#stills.refresh(camera, false);
    }
    this.#share();
  }

  /** Whether the camera's JPEG stream is of use. */
  wantsJpeg(camera: Camera): boolean {
    const player = camera.player.value;
    return player === undefined || player.state.value.phase === "jpeg";
  }

  forget(camera: Camera): void {
    this.#inSight.delete(camera);
    this.#remove(camera);
    this.#share();
  }

  close(): void {
    this.#releases.close();
    this.#stills.close();
  }

  #add(camera: Camera): Player {
    const player = new Player(camera.id, this.#choice, this.#turns.open, {
      onJpeg: () => this.#events.onJpeg(camera),
      onLast: (video) => this.#keep(camera, player, video),
    });
    followFloating(player.stage, camera.floating);
    camera.player.set(player);
    this.#share();
    return player;
  }

  #remove(camera: Camera): void {
    camera.player.value?.close();
    camera.player.set(undefined);
    this.#stills.forget(camera);
  }

  #leave(left: boolean): void {
    if (left === this.#left) return;
    this.#left = left;
    this.#share();
  }

  /** Who came first plays; the others show a picture now and then. */
  #share(): void {
    let free = this.#most;
    for (const camera of this.#inSight) {
      const player = camera.player.value;
      if (player === undefined) continue;
      if (this.#left) {
        player.want("none");
        continue;
      }
      player.want(free > 0 ? "watch" : "rest");
      this.#stills.refresh(camera, free <= 0);
      free -= 1;
    }
  }

  /** The last picture of a video that ends stays on the tile. */
  #keep(camera: Camera, player: Player, video: HTMLVideoElement): void {
    const nowUs = this.#events.serverNowUs();
    const takenMs = nowUs === undefined ? Date.now() : nowUs / 1000;
    const ageMs = player.meter.sinceMs() + (player.figures.latencyMs ?? 0);
    jpegOf(video).then(
      (jpeg) => {
        if (jpeg !== undefined) this.#events.onStill(camera, { seq: undefined, jpeg, takenMs: takenMs - ageMs });
      },
      () => undefined,
    );
  }
}
