// Who may open a way now. Over HTTP/1.1 a browser has six connections a host, and a request for a camera that is
// away keeps one for ten seconds: only some may wait for an answer at a time, so that the rest of the page works.

import type { OpenWay, Way, WayEvents, WayFigures } from "./way.ts";

/** Ways that wait for their first answer at a time: half of the connections that there are. */
const AT_ONCE = 3;
const NO_FIGURES: WayFigures = { bytesPerSecond: 0, latencyMs: undefined };

/**
 * Ways to open, in the order of asking; but cameras that were away when last asked for let the others go before.
 * What goes out of sight is closed, and so leaves the queue.
 */
export class Turns {
  readonly #openWay: OpenWay;
  readonly #queue: Turn[] = [];
  /** Cameras that were not to be had when last asked for. */
  readonly #away = new Set<string>();
  #taken = 0;

  constructor(openWay: OpenWay) {
    this.#openWay = openWay;
  }

  /** Like the `OpenWay` that it was made of, only that the way may open later. */
  readonly open: OpenWay = (rung, camera, video, events) => {
    const begin = (heard: WayEvents): Way => this.#openWay(rung, camera, video, heard);
    const turn = new Turn(camera, begin, events, (isAway) => this.#over(turn, isAway));
    this.#queue.push(turn);
    this.#next();
    return turn;
  };

  #next(): void {
    while (this.#taken < AT_ONCE) {
      const turn = this.#queue.find(({ camera }) => !this.#away.has(camera)) ?? this.#queue[0];
      if (turn === undefined) return;
      this.#queue.splice(this.#queue.indexOf(turn), 1);
      this.#taken += 1;
      turn.begin();
    }
  }

  #over(turn: Turn, isAway: boolean | undefined): void {
    if (isAway === true) this.#away.add(turn.camera);
    if (isAway === false) this.#away.delete(turn.camera);
    const place = this.#queue.indexOf(turn);
    if (place >= 0) return void this.#queue.splice(place, 1);
    this.#taken -= 1;
    // Not at once: where all tiles go out of sight together, none is to begin because another ended.
    queueMicrotask(() => this.#next());
  }
}

/** A way that waits for its turn, and then is that way. */
class Turn implements Way {
  readonly camera: string;
  readonly #open: (events: WayEvents) => Way;
  readonly #events: WayEvents;
  readonly #onOver: (isAway: boolean | undefined) => void;
  #way: Way | undefined;
  #isOver = false;

  /** `onOver` comes once, when it waits no longer; with whether the camera is away, where that was learned. */
  constructor(camera: string, open: (events: WayEvents) => Way, events: WayEvents, onOver: (isAway: boolean | undefined) => void) {
    this.camera = camera;
    this.#open = open;
    this.#events = events;
    this.#onOver = onOver;
  }

  get figures(): WayFigures {
    return this.#way?.figures ?? NO_FIGURES;
  }

  begin(): void {
    this.#way = this.#open({
      onAnswered: () => {
        this.#over(false);
        this.#events.onAnswered?.();
      },
      onPlaying: () => {
        this.#over(false);
        this.#events.onPlaying();
      },
      onEnd: (end) => {
        this.#over(end.ending === "unavailable" ? true : undefined);
        this.#events.onEnd(end);
      },
    });
  }

  close(): void {
    this.#way?.close();
    this.#over(undefined);
  }

  #over(isAway: boolean | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver(isAway);
  }
}
