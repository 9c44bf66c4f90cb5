// Which tiles are in sight, and how wide: what is out of sight is not sent at all, and the server is told the
// width that is shown. One pair of observers for all tiles.

import { Releases } from "@framecast/shared/releases";
import type { Interest } from "../feed/feed.ts";

/** Widths are rounded up to this, so that dragging a window does not send a message a pixel. */
const WIDTH_STEP = 160;
/** On a tile narrower than this, in CSS pixels, more frames a second than this are not told apart. */
const SMALL_PX = 150;
const SMALL_FPS = 15;
/** A window of its own is taken to be at least this wide, in CSS pixels, whatever its tile is. */
const FLOATING_PX = 640;
/** Layouts settle before the server is told. */
const SETTLE_MS = 250;
/** Tiles this far outside still count as seen: scrolling must not meet a standing picture. */
const MARGIN = "200px";

export class Sight {
  readonly #releases = new Releases();
  readonly #tiles = new Map<Element, { inView: boolean; floating: boolean; tell: (interest: Interest) => void }>();
  readonly #views: IntersectionObserver;
  readonly #sizes: ResizeObserver;
  #density!: MediaQueryList;
  #settling: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.#views = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const tile = this.#tiles.get(target);
        if (tile !== undefined) tile.inView = isIntersecting;
      }
      this.#tellSoon();
    }, { rootMargin: MARGIN });
    this.#sizes = new ResizeObserver(() => this.#tellSoon());
    this.#releases.add(() => this.#views.disconnect());
    this.#releases.add(() => this.#sizes.disconnect());
    this.#releases.add(() => clearTimeout(this.#settling));
    this.#releases.listen(document, "visibilitychange", () => this.#tellSoon());
    // Zooming in with two fingers: no element becomes larger, but what it shows does.
    if (visualViewport !== null) this.#releases.listen(visualViewport, "resize", () => this.#tellSoon());
    this.#watchDensity();
    this.#releases.add(() => (this.#density.onchange = null));
  }

  /** Watches a tile, which counts as seen while it is `floating`; returns the release. */
  watch(element: Element, floating: boolean, tell: (interest: Interest) => void): () => void {
    this.#tiles.set(element, { inView: true, floating, tell });
    this.#views.observe(element);
    this.#sizes.observe(element);
    return () => {
      this.#tiles.delete(element);
      this.#views.unobserve(element);
      this.#sizes.unobserve(element);
    };
  }

  close(): void {
    this.#releases.close();
  }

  /** Moved to a screen of other pixels, no element need change its size. */
  #watchDensity(): void {
    const same = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    same.onchange = () => {
      same.onchange = null;
      this.#watchDensity();
      this.#tellSoon();
    };
    this.#density = same;
  }

  #tellSoon(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#tell(), SETTLE_MS);
  }

  #tell(): void {
    const pageVisible = document.visibilityState === "visible";
    for (const [element, tile] of this.#tiles) {
      const visible = tile.floating || (pageVisible && tile.inView && element.clientWidth > 0);
      const fps = !tile.floating && element.clientWidth < SMALL_PX ? SMALL_FPS : undefined;
      tile.tell({ visible, width: widthOf(element.clientWidth, tile.floating), fps });
    }
  }
}

/** How wide a camera is shown, in device pixels, whose tile has this many CSS pixels. */
export function widthOf(tilePx: number, floating: boolean): number {
  const pixels = Math.max(tilePx, floating ? FLOATING_PX : 0) * devicePixelRatio * Math.max(1, visualViewport?.scale ?? 1);
  return Math.ceil(pixels / WIDTH_STEP) * WIDTH_STEP;
}
