// Keeps a camera's pictures coming: which way, when to try again, when to try another way. No DOM.

import { Backoff } from "@framecast/shared/backoff";
import { ServerClock } from "@framecast/shared/clock";
import { Releases } from "@framecast/shared/releases";
import { MjpegSource } from "./source/mjpeg.ts";
import { PollingSource } from "./source/polling.ts";
import type { Ending, OpenSource, Picture, Presence, Source, Wish } from "./source/source.ts";
import { WebSocketSource } from "./source/web-socket.ts";

/** Best first. */
export const TRANSPORTS = ["ws", "mjpeg", "rest"] as const;
export type Transport = (typeof TRANSPORTS)[number];

export type Phase =
  /** What the page's author wrote cannot be. */
  | { name: "wrong"; reason: string }
  | { name: "connecting"; after: string | undefined }
  | { name: "up"; transport: Transport }
  | { name: "waiting"; reason: string }
  | { name: "refused"; reason: string; by: Refused };

/** `refused`: the page is. `full`: as many watch as may. `unsupported`: of this camera there are no pictures. */
export type Refused = Extract<Ending, "refused" | "full" | "unsupported">;

export interface PlayerEvents {
  onPhase: (phase: Phase) => void;
  onPicture: (picture: Picture) => void;
  onPresence: (presence: Presence | undefined) => void;
}

/** Attempts of one way, in a row, before the next is tried. */
const ATTEMPTS = 2;
/** Somebody may restart the server with what it lacked, or leave the camera. */
const REFUSED_WAIT_MS: Record<Refused, number> = { refused: 15_000, full: 5_000, unsupported: 15_000 };

const OPEN: Record<Transport, OpenSource> = {
  ws: (...of) => new WebSocketSource(...of),
  mjpeg: (...of) => new MjpegSource(...of),
  rest: (...of) => new PollingSource(...of),
};

export class Player {
  readonly clock = new ServerClock();
  #wish: Wish;
  readonly #ladder: readonly Transport[];
  readonly #events: PlayerEvents;
  readonly #open: Record<Transport, OpenSource>;
  readonly #backoff = new Backoff({ firstMs: 500, maxMs: 15_000 });
  #present = new Releases();
  #source: Source | undefined;
  #rung = 0;
  #failures = 0;
  #upMs: number | undefined;

  /** `only`: this way and no other. `open` is replaced in tests. */
  constructor(wish: Wish, only: Transport | undefined, events: PlayerEvents, open: Record<Transport, OpenSource> = OPEN) {
    this.#wish = wish;
    this.#ladder = only === undefined ? TRANSPORTS : [only];
    this.#events = events;
    this.#open = open;
  }

  start(): void {
    this.#connect(undefined);
  }

  stop(): void {
    this.#present.close();
    this.#source = undefined;
  }

  /** Another size from the next picture on, on this way and on all that follow. */
  resize(size: Wish["size"]): void {
    if (size === this.#wish.size) return;
    this.#wish = { ...this.#wish, size };
    this.#source?.resize(size);
  }

  shown(seq: bigint): void {
    this.#source?.shown(seq);
  }

  /** `quiet`: what is said stays until there is something else to say. */
  #connect(after: string | undefined, quiet = false): void {
    const present = new Releases();
    this.#present = present;
    this.#upMs = undefined;
    const transport = this.#ladder[this.#rung] ?? "ws";
    if (!quiet) this.#events.onPhase({ name: "connecting", after });
    try {
      const source = this.#open[transport](this.#wish, this.clock, {
        onUp: () => {
          this.#upMs = performance.now();
          this.#events.onPhase({ name: "up", transport });
        },
        onPicture: (picture) => {
          // Only pictures prove a way: an answer alone may be all that a proxy lets through.
          this.#failures = 0;
          this.#events.onPicture(picture);
        },
        onPresence: (presence) => this.#events.onPresence(presence),
        onDown: (ending, reason) => this.#down(ending, reason),
      });
      this.#source = source;
      present.add(() => source.close());
    } catch (error) {
      this.#down("unreached", `The server's address cannot be used (${String(error)}).`);
    }
  }

  #down(ending: Ending, reason: string): void {
    this.#present.close();
    this.#source = undefined;
    if (this.#upMs !== undefined) this.#backoff.lived(performance.now() - this.#upMs);
    const present = new Releases();
    this.#present = present;
    if (ending === "refused" || ending === "full" || ending === "unsupported") {
      this.#events.onPhase({ name: "refused", reason, by: ending });
      present.after(REFUSED_WAIT_MS[ending], () => this.#connect(reason, true));
      return;
    }
    // A way that had worked is worth another try; the best one is, too.
    if (ending === "lost") this.#rung = this.#failures = 0;
    else if (++this.#failures >= ATTEMPTS) {
      this.#failures = 0;
      this.#rung = (this.#rung + 1) % this.#ladder.length;
    }
    this.#events.onPhase({ name: "waiting", reason });
    present.after(this.#backoff.next(), () => this.#connect(reason));
  }
}
