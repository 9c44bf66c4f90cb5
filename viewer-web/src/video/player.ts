// One camera's video on this page: opens ways, changes over to better ones, keeps its last picture. Which way is
// next, the ladder says.

import { Observable } from "@framecast/shared/observable";
import { Releases } from "@framecast/shared/releases";
import type { Listed } from "../listing.ts";
import { Attempt, type AttemptWord } from "./attempt.ts";
import { handOver } from "./floating.ts";
import { PlayLadder, type PlayChoice, type Step } from "./ladder.ts";
import { VideoMeter } from "./meter.ts";
import { codecName, whyNot } from "./support.ts";
import type { OpenWay, Rung, VideoRung, WayEnd, WayFigures, Why } from "./way.ts";

export type PlayState =
  /** Nobody looks. */
  | { phase: "idle" }
  /** In sight, and others play already, as many as the page can. */
  | { phase: "resting" }
  | { phase: "opening"; rung: VideoRung }
  | { phase: "playing"; rung: VideoRung }
  /** The JPEG stream shows it. */
  | { phase: "jpeg" }
  /** `atMs`: when it is tried again, of `performance.now()`. */
  | ({ phase: "waiting"; atMs: number } & Why);

/** `watch`: play it. `rest`: it is in sight, and may not play. */
export type Wanted = "watch" | "rest" | "none";

export interface PlayerEvents {
  /** Whether the camera's JPEG stream is wanted. */
  onJpeg: (wanted: boolean) => void;
  /** What is on the screen of a video that is about to end. */
  onLast: (video: HTMLVideoElement) => void;
}

/** A way that ends sooner after its first picture has failed. */
const STEADY_MS = 5_000;
/** Long enough to read why there is no sound. */
const NOTE_MS = 10_000;
const NO_FIGURES: WayFigures = { bytesPerSecond: 0, latencyMs: undefined };

export class Player {
  readonly state = new Observable<PlayState>({ phase: "idle" });
  /** Whether the camera is to be heard; `undefined` where it has no sound that can be played here. */
  readonly sound = new Observable<boolean | undefined>(undefined);
  /** Why what was asked for last, sound, is not to be had; `undefined` after a while. */
  readonly noSound = new Observable<Why | undefined>(undefined);
  /** Where the video elements are; put into the tile. */
  readonly stage: HTMLElement;
  readonly meter = new VideoMeter();
  readonly #camera: string;
  readonly #choice: PlayChoice;
  readonly #ladder: PlayLadder;
  readonly #open: OpenWay;
  readonly #events: PlayerEvents;
  /** Timers of the state of the moment. */
  #timers = new Releases();
  #current: Attempt | undefined;
  /** A better way that is tried while another works. */
  #beside: Attempt | undefined;
  #better: Rung[] = [];
  #sinceMs = 0;
  #generation: number | undefined;
  #note: ReturnType<typeof setTimeout> | undefined;
  #wanted: Wanted = "none";

  constructor(camera: string, choice: PlayChoice, open: OpenWay, events: PlayerEvents) {
    this.#camera = camera;
    this.#choice = choice;
    this.#ladder = new PlayLadder(choice);
    this.#open = open;
    this.#events = events;
    this.stage = document.createElement("span");
    this.stage.className = "tile-videos";
  }

  /** The element that shows the camera; `undefined` while none does. */
  get video(): HTMLVideoElement | undefined {
    return this.state.value.phase === "playing" ? this.#current?.video : undefined;
  }

  get figures(): WayFigures {
    return this.state.value.phase === "playing" ? (this.#current?.figures ?? NO_FIGURES) : NO_FIGURES;
  }

  want(wanted: Wanted): void {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    if (wanted === "watch") return this.#take(this.#ladder.top);
    this.#drop();
    this.state.set({ phase: wanted === "rest" ? "resting" : "idle" });
  }

  /** What the server says of the camera. */
  learned({ video }: Listed): void {
    if (video === undefined) return;
    const renewed = this.#generation !== undefined && this.#generation !== video.generation;
    this.#generation = video.generation;
    if (renewed) this.#ladder.renew();
    for (const rung of ["whep", "hls"] as const) {
      const why = whyNot(rung, video);
      if (why !== undefined) this.#ladder.rule(rung, why);
    }
    const isAudible = video.audio !== undefined && whyNot("hls", video) === undefined && (this.#choice === "auto" || this.#choice === "hls");
    if (isAudible !== (this.sound.value !== undefined)) {
      this.sound.set(isAudible ? false : undefined);
      this.#followSound();
    }
    const name = codecName(video.codec);
    this.#ladder.rule("jpeg", video.codec === "h264" ? undefined : `This browser does not play ${name}: set the camera to H.264, or use another browser.`);
    if (renewed) this.hurry();
    // It turned out to have none only now.
    else if (this.state.value.phase === "jpeg" && video.codec !== "h264") this.#take(this.#ladder.top);
  }

  /** Something may have changed for the better: not after the wait, but now. */
  hurry(): void {
    if (this.state.value.phase === "waiting") this.#take(this.#ladder.top);
  }

  /** Lets the camera be heard, or no more. Only HLS has its sound, which is half a second older than WebRTC. */
  listen(on: boolean): void {
    if (this.sound.value === undefined || this.sound.value === on) return;
    this.#say(undefined);
    this.sound.set(on);
    this.#followSound();
  }

  /** The server is there again: what did not work without it is tried now, beside the JPEGs where those are shown. */
  again(): void {
    this.hurry();
    if (this.state.value.phase !== "jpeg" || this.#beside !== undefined) return;
    this.#timers.close();
    this.#timers = new Releases();
    this.#climbLater("jpeg", 0);
  }

  close(): void {
    this.want("none");
    this.#say(undefined);
    this.stage.remove();
  }

  #take(step: Step): void {
    this.#drop();
    if (step.do === "wait") {
      this.state.set({ phase: "waiting", reason: step.reason, code: step.code, atMs: performance.now() + step.waitMs });
      // What this browser cannot play it cannot play later either.
      if (Number.isFinite(step.waitMs)) this.#timers.after(step.waitMs, () => this.#take(this.#ladder.top));
    } else if (step.rung === "jpeg") {
      this.state.set({ phase: "jpeg" });
      this.#events.onJpeg(true);
      this.#climbLater("jpeg");
    } else {
      this.state.set({ phase: "opening", rung: step.rung });
      this.#current = this.#attempt(step.rung);
    }
  }

  /** Ends all there is, and hands on its last picture. */
  #drop(): void {
    const { phase } = this.state.value;
    if (phase === "playing" && this.#current !== undefined) this.#events.onLast(this.#current.video);
    if (phase === "jpeg") this.#events.onJpeg(false);
    this.#timers.close();
    this.#timers = new Releases();
    this.#current?.close();
    this.#beside?.close();
    this.#current = undefined;
    this.#beside = undefined;
  }

  #attempt(rung: VideoRung): Attempt {
    return new Attempt(rung, this.#camera, this.stage, this.#open, (attempt, word) => this.#heard(attempt, word));
  }

  #heard(attempt: Attempt, word: AttemptWord): void {
    const isBeside = attempt === this.#beside;
    if (!isBeside && attempt !== this.#current) return;
    if (word.say === "playing") return isBeside ? this.#change(attempt) : this.#plays(attempt);
    if (isBeside) this.#notBetter(attempt, word);
    else this.#ended(attempt, word);
  }

  #plays(attempt: Attempt): void {
    this.#sinceMs = performance.now();
    attempt.show();
    attempt.releases.add(this.meter.watch(attempt.video, () => attempt.figures.latencyMs));
    this.state.set({ phase: "playing", rung: attempt.rung });
    this.#climbLater(attempt.rung);
    this.#followSound();
  }

  #followSound(): void {
    const { phase } = this.state.value;
    const current = this.#current;
    const on = this.sound.value === true;
    if (phase === "playing" && current?.rung === "hls") {
      if (current.video.muted === !on) return;
      current.video.muted = !on;
      // A better way that is to come, or is on its way, would have no sound; and there is never more than one.
      this.#idle();
      if (on) current.video.play().catch((error: unknown) => this.#notHeard(error));
      else this.#climbLater("hls", 0);
      return;
    }
    if (phase !== "playing" && phase !== "jpeg") return;
    if (!on && this.#beside?.rung !== "hls") return;
    this.#idle();
    if (on) this.#beside = this.#attempt("hls");
    if (!on) this.#climbLater(current?.rung ?? "jpeg");
  }

  /** Nothing is tried beside what works, nor is to be. */
  #idle(): void {
    this.#timers.close();
    this.#timers = new Releases();
    this.#beside?.close();
    this.#beside = undefined;
  }

  /** Some browsers let sound begin only at the very moment of the press, and HLS begins later. */
  #notHeard(error: unknown): void {
    if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
    this.listen(false);
    this.#say({ reason: "The browser did not let it begin; press once more." });
  }

  #say(noSound: Why | undefined): void {
    clearTimeout(this.#note);
    this.noSound.set(noSound);
    if (noSound !== undefined) this.#note = setTimeout(() => this.noSound.set(undefined), NOTE_MS);
  }

  #ended(attempt: Attempt, end: WayEnd): void {
    if (this.state.value.phase !== "playing") return this.#take(this.#ladder.after(attempt.rung, end));
    const livedMs = performance.now() - this.#sinceMs;
    this.#ladder.lived(attempt.rung, livedMs);
    // What plays for a moment and ends, again and again, does not work.
    this.#take(this.#ladder.after(attempt.rung, end.ending === "lost" && livedMs < STEADY_MS ? { ...end, ending: "failed" } : end));
  }

  /** The better way has its first picture: what worked until now goes, and nobody sees the change. */
  #change(attempt: Attempt): void {
    const before = this.#current;
    this.#current = attempt;
    this.#beside = undefined;
    if (this.state.value.phase === "jpeg") this.#events.onJpeg(false);
    this.#timers.close();
    this.#timers = new Releases();
    this.#plays(attempt);
    if (before !== undefined) handOver(before.video, attempt.video, () => before.close());
  }

  #climbLater(rung: Rung, afterMs?: number): void {
    // What is better to see cannot be heard.
    const climb = rung === "hls" && this.sound.value === true ? undefined : this.#ladder.climb(rung);
    this.#better = climb?.rungs ?? [];
    if (climb === undefined) return;
    this.#timers.after(afterMs ?? climb.afterMs, () => this.#climb(rung));
  }

  #climb(from: Rung): void {
    const better = this.#better.shift();
    if (better === undefined || better === "jpeg") return this.#climbLater(from);
    this.#beside = this.#attempt(better);
  }

  #notBetter(attempt: Attempt, { ending, reason, code }: WayEnd): void {
    attempt.close();
    this.#beside = undefined;
    if (ending === "unsupported") this.#ladder.rule(attempt.rung, reason);
    if (attempt.rung === "hls" && this.sound.value === true) {
      this.sound.set(false);
      this.#say({ reason, code });
    }
    this.#climb(this.#current?.rung ?? "jpeg");
  }
}
