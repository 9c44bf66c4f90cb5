// All cameras of the page, and the engine that feeds them. The components look at this; it looks at none.

import { localNowUs } from "@framecast/shared/clock";
import { Observable } from "@framecast/shared/observable";
import { Releases } from "@framecast/shared/releases";
import { Camera, type CameraFigures } from "./camera.ts";
import { EngineHost, type Thread } from "./engine/host.ts";
import type { Figures, Picture } from "./engine/messages.ts";
import type { CameraInfo, Interest } from "./feed/feed.ts";
import type { LinkChoice, LinkState } from "./feed/link.ts";
import { Listing } from "./listing.ts";
import { Videos } from "./video/videos.ts";
import type { PlayChoice } from "./video/ladder.ts";

/** A camera that no tile has asked for by then is on no wall: it is not sent. */
const UNASKED_MS = 1_000;
/** Nothing of a camera. */
const NOTHING: Interest = { visible: false, width: 0, fps: undefined };
/** What the engine has of a camera that it was told nothing of. */
const UNTOLD: Interest = { visible: true, width: 0, fps: undefined };

const byName = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

export class Wall {
  /** In the order of their ids, so that none changes place when another comes or goes. */
  readonly cameras = new Observable<readonly Camera[]>([]);
  /** Whether the server has said which cameras there are. */
  readonly known = new Observable(false);
  /** What happened last, for those who listen to the page instead of looking at it. */
  readonly news = new Observable("");
  readonly link = new Observable<LinkState>({ phase: "connecting", after: undefined });
  readonly #choice: LinkChoice;
  readonly #listing = new Listing();
  readonly #videos: Videos;
  readonly #engine: EngineHost;
  readonly #releases = new Releases();
  readonly #byId = new Map<string, Camera>();
  #offsetUs: number | undefined;
  #roundTripMs: number | undefined;

  constructor(choice: LinkChoice, thread: Thread, play: PlayChoice, mostVideos: number | undefined) {
    this.#choice = choice;
    this.#videos = new Videos(play, mostVideos, {
      onJpeg: (camera) => this.#tell(camera),
      onStill: (camera, picture) => this.#engine.still(camera.id, picture),
      serverNowUs: () => this.serverNowUs(),
    });
    this.#engine = new EngineHost(thread, (word) => {
      switch (word.say) {
        case "link":
          return this.#linked(word.state);
        case "cameras":
          return this.#all(word.cameras);
        case "camera":
          return this.#changed(word.camera);
        case "gone":
          return this.#gone(word.camera);
        case "refused":
          return this.#byId.get(word.camera)?.refusal.set(word.refusal);
        case "figures":
          return this.#figures(word.figures);
      }
    });
  }

  start(): void {
    this.#releases.add(() => this.#engine.close());
    this.#releases.listen(window, "online", () => this.#engine.tell({ do: "hurry" }));
    this.#releases.listen(window, "online", () => this.#listing.changed());
    this.#releases.add(() => this.#listing.stop());
    this.#releases.add(() => this.#videos.close());
    this.#releases.add(this.#listing.cameras.watch(() => this.#listed()));
    this.#listing.start();
    this.#engine.tell({ do: "start", choice: this.#choice });
  }

  stop(): void {
    this.#releases.close();
    for (const camera of this.#byId.values()) camera.close();
    this.#byId.clear();
  }

  /** Where pictures are decoded and drawn. */
  get thread(): Thread {
    return this.#engine.thread;
  }

  /** Now on the server's clock, Unix microseconds; `undefined` until known. */
  serverNowUs(): number | undefined {
    return this.#offsetUs === undefined ? undefined : localNowUs() + this.#offsetUs;
  }

  /** Server's clock minus the page's; `undefined` until known. */
  get clockOffsetUs(): number | undefined {
    return this.#offsetUs;
  }

  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** The tile of this camera is in sight or out of it, this wide, at this rate. */
  want(camera: Camera, interest: Interest): void {
    if (this.#byId.get(camera.id) !== camera) return;
    camera.interest = interest;
    this.#videos.want(camera, interest.visible);
    this.#tell(camera);
  }

  /** Cameras were set up otherwise: looks at the list anew. */
  setUpChanged(): void {
    this.#listing.changed();
  }

  /** The newest picture of this camera, byte for byte as it came; `undefined` where there is none. */
  picture(camera: Camera): Promise<Picture | undefined> {
    return this.#engine.picture(camera.id);
  }

  #linked(state: LinkState): void {
    const isBack = state.phase === "live" && this.link.value.phase !== "live";
    this.link.set(state);
    // A new connection asks for all anew.
    if (state.phase === "live") for (const camera of this.#byId.values()) camera.refusal.set(undefined);
    if (isBack) for (const camera of this.#byId.values()) camera.player.value?.again();
  }

  /** Tells the engine what is wanted of a camera's JPEG stream: nothing while its video plays. Its width holds for stills, too. */
  #tell(camera: Camera): void {
    const interest = camera.interest ?? UNTOLD;
    const wish = { ...interest, visible: interest.visible && this.#videos.wantsJpeg(camera) };
    const told = camera.told ?? UNTOLD;
    camera.told = wish;
    const changed = told.visible !== wish.visible || told.width !== wish.width || (wish.visible && told.fps !== wish.fps);
    if (changed) this.#engine.tell({ do: "want", camera: camera.id, interest: wish });
  }

  #listed(): void {
    const listed = this.#listing.cameras.value;
    if (listed === undefined) return;
    for (const camera of this.#byId.values()) {
      this.#videos.learned(camera, listed.get(camera.id));
      this.#tell(camera);
    }
  }

  figures(): Record<string, CameraFigures> {
    return Object.fromEntries([...this.#byId].map(([id, camera]) => [id, camera.figures]));
  }

  #figures({ offsetUs, roundTripMs, cameras }: Figures): void {
    this.#offsetUs = offsetUs;
    this.#roundTripMs = roundTripMs;
    for (const [id, track] of Object.entries(cameras)) this.#byId.get(id)?.reported(track);
  }

  #all(cameras: CameraInfo[]): void {
    const present = new Set(cameras.map(({ camera }) => camera));
    for (const id of [...this.#byId.keys()]) if (!present.has(id)) this.#drop(id);
    for (const camera of cameras) this.#update(camera);
    this.#publish();
    this.#listed();
    this.#listing.changed();
    this.known.set(true);
  }

  #changed(info: CameraInfo): void {
    const before = this.#byId.get(info.camera)?.info.value;
    this.#update(info);
    this.#publish();
    this.#listing.changed();
    const title = info.name || info.camera;
    if (before === undefined || before.online !== info.online) {
      if (info.online) this.#byId.get(info.camera)?.player.value?.hurry();
      this.news.set(info.online ? `${title} is online.` : `${title} is offline${info.reason === undefined ? "" : `: ${info.reason}`}.`);
    }
  }

  #update(info: CameraInfo): void {
    const known = this.#byId.get(info.camera);
    if (known !== undefined) return known.info.set(info);
    const camera = new Camera(info, () => this.serverNowUs());
    this.#byId.set(info.camera, camera);
    this.#engine.draw(camera.id, camera.canvas);
    this.#releases.after(UNASKED_MS, () => {
      if (camera.interest === undefined) this.want(camera, NOTHING);
    });
  }

  #gone(id: string): void {
    if (!this.#byId.has(id)) return;
    this.#drop(id);
    this.#publish();
  }

  #drop(id: string): void {
    const camera = this.#byId.get(id);
    if (camera !== undefined) this.#videos.forget(camera);
    camera?.close();
    this.#byId.delete(id);
  }

  #publish(): void {
    const sorted = [...this.#byId.values()].sort((a, b) => byName.compare(a.id, b.id));
    const shown = this.cameras.value;
    if (sorted.length !== shown.length || sorted.some((camera, index) => camera !== shown[index])) this.cameras.set(sorted);
  }
}
