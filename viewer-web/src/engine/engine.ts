// Everything that is done once a frame: link, decoding, drawing, counting. It runs in a worker, so that the page
// stays free for the person; where a browser has no canvas for workers it runs on the page, unchanged.

import { ServerClock } from "@framecast/shared/clock";
import { Releases } from "@framecast/shared/releases";
import type { CameraInfo } from "../feed/feed.ts";
import { Link } from "../feed/link.ts";
import type { Command, Word } from "./messages.ts";
import { Track } from "./track.ts";

/** How often the page hears of the figures: often enough to read, seldom enough to cost nothing. */
const REPORT_MS = 200;
/**
 * WebKit fires a worker's timers only when nothing else waits for the worker, which under a full wall may be never,
 * while every picture is drawn. A report this late goes out with the next frame.
 */
const LATE_MS = 2 * REPORT_MS;

export class Engine {
  readonly #say: (word: Word, transfer: Transferable[]) => void;
  readonly #tracks = new Map<string, Track>();
  readonly #releases = new Releases();
  readonly #clock = new ServerClock();
  #link: Link | undefined;
  #reportedMs = performance.now();

  constructor(say: (word: Word, transfer: Transferable[]) => void) {
    this.#say = say;
  }

  obey(command: Command): void {
    switch (command.do) {
      case "start":
        return this.#start(command.choice);
      case "stop":
        return this.#stop();
      case "hurry":
        return this.#link?.hurry();
      case "want":
        this.#tracks.get(command.camera)?.showAs(command.interest.width);
        return this.#link?.want(command.camera, command.interest);
      case "draw":
        return this.#tracks.get(command.camera)?.drawOn(command.canvas);
      case "still":
        return this.#tracks.get(command.camera)?.still(command.picture);
      case "jpeg": {
        // Copied on its way to the page: the painter may still need it here.
        const picture = this.#tracks.get(command.camera)?.newest;
        return this.#say({ say: "jpeg", ask: command.ask, picture: picture && { ...picture, jpeg: picture.jpeg.slice() } }, []);
      }
    }
  }

  #start(choice: ConstructorParameters<typeof Link>[0]): void {
    const link = new Link(
      choice,
      {
        onCameras: (cameras) => this.#all(cameras),
        onCamera: (camera) => {
          this.#know(camera);
          this.#say({ say: "camera", camera }, []);
        },
        onGone: (camera) => {
          this.#forget(camera);
          this.#say({ say: "gone", camera }, []);
        },
        onFrame: (frame) => {
          this.#tracks.get(frame.camera)?.arrived(frame);
          if (performance.now() - this.#reportedMs > LATE_MS) this.#report();
        },
        onRefused: (camera, refusal) => this.#say({ say: "refused", camera, refusal }, []),
        onServed: (served) => {
          for (const [id, what] of Object.entries(served)) {
            const track = this.#tracks.get(id);
            if (track !== undefined) track.served = what;
          }
        },
      },
      this.#clock,
    );
    this.#link = link;
    this.#releases.add(() => link.stop());
    this.#releases.add(link.state.watch((state) => this.#say({ say: "link", state }, [])));
    this.#releases.every(REPORT_MS, () => this.#report());
    link.start();
  }

  #stop(): void {
    this.#releases.close();
    for (const id of [...this.#tracks.keys()]) this.#forget(id);
  }

  #all(cameras: CameraInfo[]): void {
    const present = new Set(cameras.map(({ camera }) => camera));
    for (const id of [...this.#tracks.keys()]) if (!present.has(id)) this.#forget(id);
    for (const camera of cameras) this.#know(camera);
    this.#say({ say: "cameras", cameras }, []);
  }

  #know({ camera }: CameraInfo): void {
    if (!this.#tracks.has(camera)) this.#tracks.set(camera, new Track(this.#clock, (seq) => this.#link?.shown(camera, seq)));
  }

  #forget(camera: string): void {
    this.#tracks.get(camera)?.close();
    this.#tracks.delete(camera);
  }

  #report(): void {
    this.#reportedMs = performance.now();
    const cameras = Object.fromEntries([...this.#tracks].map(([id, track]) => [id, track.report()]));
    this.#say({ say: "figures", figures: { offsetUs: this.#clock.offsetUs, roundTripMs: this.#clock.roundTripMs, cameras } }, []);
  }
}
