// All cameras of the page, and the one link that feeds them. The components look at this; it looks at none.

import { ServerClock } from "@framecast/shared/clock";
import { Observable } from "@framecast/shared/observable";
import { Releases } from "@framecast/shared/releases";
import { Camera, type CameraFigures } from "./camera.ts";
import type { CameraInfo, Interest } from "./feed/feed.ts";
import { Link, type LinkChoice } from "./feed/link.ts";

const byName = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

export class Wall {
  /** In the order of their ids, so that none changes place when another comes or goes. */
  readonly cameras = new Observable<readonly Camera[]>([]);
  /** Whether the server has said which cameras there are. */
  readonly known = new Observable(false);
  /** What happened last, for those who listen to the page instead of looking at it. */
  readonly news = new Observable("");
  readonly link: Link;
  readonly #releases = new Releases();
  readonly #byId = new Map<string, Camera>();
  readonly #clock = new ServerClock();

  constructor(choice: LinkChoice) {
    this.link = new Link(
      choice,
      {
        onUp: () => this.#tellInterests(),
        onCameras: (cameras) => this.#all(cameras),
        onCamera: (camera) => this.#changed(camera),
        onGone: (id) => this.#gone(id),
        onFrame: (frame) => this.#byId.get(frame.camera)?.arrived(frame),
      },
      this.#clock,
    );
  }

  start(): void {
    this.#releases.add(() => this.link.stop());
    this.#releases.listen(window, "online", () => this.link.hurry());
    this.link.start();
  }

  stop(): void {
    this.#releases.close();
    for (const camera of this.#byId.values()) camera.close();
    this.#byId.clear();
  }

  get clock(): ServerClock {
    return this.#clock;
  }

  /** The tile of this camera is in sight or out of it, and this wide. */
  want(camera: Camera, interest: Interest): void {
    const had = camera.interest ?? { visible: true, width: 0 };
    camera.interest = interest;
    if (had.visible !== interest.visible || (interest.visible && had.width !== interest.width)) this.link.want(camera.id, interest);
  }

  figures(): Record<string, CameraFigures> {
    return Object.fromEntries([...this.#byId].map(([id, camera]) => [id, camera.figures]));
  }

  #tellInterests(): void {
    for (const camera of this.#byId.values()) if (camera.interest !== undefined) this.link.want(camera.id, camera.interest);
  }

  #all(cameras: CameraInfo[]): void {
    const present = new Set(cameras.map(({ camera }) => camera));
    for (const id of [...this.#byId.keys()]) if (!present.has(id)) this.#drop(id);
    for (const camera of cameras) this.#update(camera);
    this.#publish();
    this.known.set(true);
  }

  #changed(info: CameraInfo): void {
    const before = this.#byId.get(info.camera)?.info.value;
    this.#update(info);
    this.#publish();
    const title = info.name || info.camera;
    if (before === undefined || before.online !== info.online) {
      this.news.set(info.online ? `${title} is online.` : `${title} is offline${info.reason === undefined ? "" : `: ${info.reason}`}.`);
    }
  }

  #update(info: CameraInfo): void {
    const camera = this.#byId.get(info.camera);
    if (camera === undefined) this.#byId.set(info.camera, new Camera(info, this.#clock, (id, seq) => this.link.shown(id, seq)));
    else camera.info.set(info);
  }

  #gone(id: string): void {
    if (!this.#byId.has(id)) return;
    this.#drop(id);
    this.#publish();
  }

  #drop(id: string): void {
    this.#byId.get(id)?.close();
    this.#byId.delete(id);
  }

  #publish(): void {
    const sorted = [...this.#byId.values()].sort((a, b) => byName.compare(a.id, b.id));
    const shown = this.cameras.value;
    if (sorted.length !== shown.length || sorted.some((camera, index) => camera !== shown[index])) this.cameras.set(sorted);
  }
}
