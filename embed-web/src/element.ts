// <framecast-view>: attributes in, pictures and events out. docs/embedding.md says what a page's author sees.

import { isCameraId } from "@framecast/shared/camera-id";
import { Releases } from "@framecast/shared/releases";
import { Player, TRANSPORTS, type Phase, type Transport } from "./player.ts";
import { Screen } from "./screen.ts";
import { wantedWidth } from "./size.ts";
import { SIZES, type Picture, type Presence, type Wish } from "./source/source.ts";
import { describe } from "./status.ts";

/** Ages and the words about them are looked at this often. */
const LOOK_MS = 250;
/** Out of sight for less costs no new connection: scrolling past, switching tabs. */
const UNSEEN_MS = 1_000;
/** Layouts settle before the server is told. */
const SETTLE_MS = 250;

/** Where `src` points when it is not given. */
let home = new URL("/", location.href);

export function setHome(url: URL): void {
  home = url;
}

export interface FrameDetail {
  camera: string;
  seq: bigint;
  /** Unix microseconds on the server's clock; 0 if unknown. */
  capturedUs: number;
  receivedUs: number;
  width: number;
  height: number;
  /** Of the picture as it was drawn; `undefined` while the server's clock is unknown. */
  ageMs: number | undefined;
}

export class FramecastView extends HTMLElement {
  static readonly observedAttributes = ["src", "camera", "transport", "max-fps", "quality", "fit"];

  readonly #screen = new Screen(this.attachShadow({ mode: "open" }));
  #releases: Releases | undefined;
  #player: Player | undefined;
  #phase: Phase | undefined;
  #presence: Presence | undefined | null = null;
  #next: Picture | undefined;
  #decoding = false;
  #newest: Picture | undefined;
  #shownMs = 0;
  #inView = false;
  #online: boolean | undefined;
  #leaving: ReturnType<typeof setTimeout> | undefined;
  #settling: ReturnType<typeof setTimeout> | undefined;
  /** Width over height of the newest picture. */
  #aspect: number | undefined;

  /** Whether pictures of the camera can come. */
  get online(): boolean {
    return this.#online === true;
  }

  /** The picture that is shown, as it was sent. */
  snapshot(): Blob | undefined {
    return this.#newest === undefined ? undefined : new Blob([this.#newest.jpeg], { type: "image/jpeg" });
  }

  connectedCallback(): void {
    const releases = new Releases();
    this.#releases = releases;
    const views = new IntersectionObserver((entries) => {
      this.#inView = entries.at(-1)?.isIntersecting === true;
      this.#followSight();
    });
    views.observe(this);
    releases.add(() => views.disconnect());
    releases.add(() => clearTimeout(this.#leaving));
    const sizes = new ResizeObserver(() => this.#resizeSoon());
    sizes.observe(this);
    releases.add(() => sizes.disconnect());
    releases.add(() => clearTimeout(this.#settling));
    // Zoom, or a screen of another density.
    releases.listen(window, "resize", () => this.#resizeSoon());
    releases.add(() => this.#stop());
    releases.listen(document, "visibilitychange", () => this.#followSight());
    releases.listen(window, "online", () => this.#restart());
    releases.every(LOOK_MS, () => this.#tell());
    this.#tell();
  }

  disconnectedCallback(): void {
    this.#releases?.close();
    this.#releases = undefined;
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now) return;
    if (name === "fit" || name === "quality") {
      this.#resizeSoon();
      return;
    }
    if (name === "camera" || name === "src") {
      this.#newest = undefined;
      this.#aspect = undefined;
      this.#presence = null;
    }
    this.#restart();
  }

  get #seen(): boolean {
    return this.#inView && document.visibilityState === "visible";
  }

  #followSight(): void {
    clearTimeout(this.#leaving);
    if (!this.#seen) this.#leaving = setTimeout(() => this.#stop(), UNSEEN_MS);
    else if (this.#player === undefined) this.#start();
  }

  get #size(): Wish["size"] {
    const named = SIZES.find((known) => known === this.getAttribute("quality"));
    return named ?? wantedWidth({ width: this.clientWidth, height: this.clientHeight, density: devicePixelRatio, fit: this.getAttribute("fit"), aspect: this.#aspect });
  }

  #resizeSoon(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      // One that is not shown has no size of its own.
      if (this.clientWidth > 0) this.#player?.resize(this.#size);
    }, SETTLE_MS);
  }

  #restart(): void {
    this.#stop();
    if (this.#releases !== undefined && this.#seen) this.#start();
  }

  #start(): void {
    const camera = this.getAttribute("camera") ?? "";
    const server = this.#server();
    const wrong = !isCameraId(camera) ? `camera="${camera}" is not a camera's id.` : server === undefined ? `src="${this.getAttribute("src") ?? ""}" is not a server's address.` : undefined;
    if (wrong !== undefined || server === undefined) {
      this.#phase = { name: "wrong", reason: wrong ?? "" };
      this.#tell();
      return;
    }
    const transport = TRANSPORTS.find((known) => known === this.getAttribute("transport"));
    const fps = Number(this.getAttribute("max-fps") ?? "NaN");
    const player = new Player({ server, camera, maxFps: fps > 0 ? fps : undefined, size: this.#size }, transport satisfies Transport | undefined, {
      onPhase: (phase) => {
        this.#phase = phase;
        this.#tell();
      },
      onPresence: (presence) => {
        this.#presence = presence;
        this.#tell();
      },
      onPicture: (picture) => this.#offer(picture),
    });
    this.#player = player;
    player.start();
  }

  #stop(): void {
    this.#player?.stop();
    this.#player = undefined;
    this.#phase = undefined;
    this.#next = undefined;
    this.#tell();
  }

  /** A server below a path is named with or without its last slash. */
  #server(): URL | undefined {
    const src = this.getAttribute("src");
    if (src === null || src === "") return home;
    try {
      const url = new URL(src, location.href);
      if (!/^https?:$/.test(url.protocol)) return undefined;
      if (!url.pathname.endsWith("/")) url.pathname += "/";
      return url;
    } catch {
      return undefined;
    }
  }

  /** Newest wins, one decoding at a time. */
  #offer(picture: Picture): void {
    this.#next = picture;
    if (!this.#decoding) this.#decode().catch(() => undefined);
  }

  async #decode(): Promise<void> {
    this.#decoding = true;
    while (this.#next !== undefined) {
      const picture = this.#next;
      this.#next = undefined;
      const player = this.#player;
      const bitmap = await createImageBitmap(new Blob([picture.jpeg], { type: "image/jpeg" })).catch(() => undefined);
      // A camera that was changed meanwhile shows none of the old one's pictures.
      if (player === this.#player && bitmap !== undefined) this.#draw(picture, bitmap);
      bitmap?.close();
      // Also of a broken one the server is to know that it is done with.
      player?.shown(picture.seq);
    }
    this.#decoding = false;
  }

  #draw(picture: Picture, bitmap: ImageBitmap): void {
    this.#screen.draw(bitmap);
    this.#newest = picture;
    this.#shownMs = performance.now();
    const aspect = bitmap.width / bitmap.height;
    // The sizes of one picture differ by a pixel's share.
    if (this.#aspect === undefined || Math.abs(aspect - this.#aspect) > 0.02) {
      this.#aspect = aspect;
      this.#resizeSoon();
    }
    this.#tell();
    const { seq, capturedUs, receivedUs } = picture;
    const detail: FrameDetail = { camera: this.getAttribute("camera") ?? "", seq, capturedUs, receivedUs, width: bitmap.width, height: bitmap.height, ageMs: this.#ageMs() };
    this.dispatchEvent(new CustomEvent("frame", { detail }));
  }

  #ageMs(): number | undefined {
    if (this.#newest === undefined) return undefined;
    const takenUs = this.#newest.capturedUs || this.#newest.receivedUs;
    const nowUs = this.#player?.clock.nowUs();
    return nowUs === undefined || takenUs === 0 ? performance.now() - this.#shownMs : Math.max(0, (nowUs - takenUs) / 1000);
  }

  #tell(): void {
    const camera = this.getAttribute("camera") ?? "";
    const nowUs = this.#player?.clock.nowUs();
    const status = describe({ phase: this.#phase, presence: this.#presence, ageMs: this.#ageMs(), camera, nowMs: nowUs === undefined ? Date.now() : nowUs / 1000 });
    const name = this.#presence?.name || camera;
    this.#screen.show(status, name);
    // Out of sight it knows nothing new; a first word is said once there is something to say.
    if (this.#phase === undefined || this.#phase.name === "connecting" || (this.#phase.name === "up" && this.#presence === null)) return;
    if (status.online === this.#online) return;
    this.#online = status.online;
    const reason = status.detail === "" ? status.title : `${status.title}: ${status.detail}`;
    this.dispatchEvent(new CustomEvent(status.online ? "online" : "offline", { detail: status.online ? { camera, name } : { camera, name, reason } }));
  }
}
