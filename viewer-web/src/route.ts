// What is shown, as the address says, so that it can be linked to: `#camera=door` shows one camera large,
// `#layout=9` and `#filter=yard` say which of all, `#setup` is where cameras are set up. `?camera=door` works too when the page is opened.

import { isCameraId } from "@framecast/shared/camera-id";
import { Observable } from "@framecast/shared/observable";
import { isLayout, type Layout } from "./mosaic/layout.ts";

const LONGEST_FILTER = 100;

export interface Place {
  /** Where cameras are set up, instead of the wall. */
  setup: boolean;
  /** The camera shown large. */
  camera: string | undefined;
  /** `undefined`: as the person last chose. */
  layout: Layout | undefined;
  filter: string;
}

export function readPlace(hash: string, search: string): Place {
  const fromHash = new URLSearchParams(hash.replace(/^#/, ""));
  const camera = fromHash.get("camera") ?? new URLSearchParams(search).get("camera") ?? "";
  const layout = fromHash.get("layout");
  return {
    setup: fromHash.has("setup"),
    camera: isCameraId(camera) ? camera : undefined,
    layout: isLayout(layout) ? layout : undefined,
    filter: (fromHash.get("filter") ?? "").slice(0, LONGEST_FILTER),
  };
}

export function writePlace({ setup, camera, layout, filter }: Place): string {
  if (setup) return "setup";
  const hash = new URLSearchParams();
  if (camera !== undefined) hash.set("camera", camera);
  if (layout !== undefined) hash.set("layout", layout);
  if (filter !== "") hash.set("filter", filter);
  return hash.toString();
}

export class Route {
  readonly place = new Observable<Place>(readPlace(location.hash, location.search));

  /** Follows the address; returns the release. */
  follow(): () => void {
    const read = (): void => this.place.set(readPlace(location.hash, location.search));
    read();
    window.addEventListener("hashchange", read);
    window.addEventListener("popstate", read);
    return () => {
      window.removeEventListener("hashchange", read);
      window.removeEventListener("popstate", read);
    };
  }

  /** Shows this camera large, or all. The back button undoes it. */
  show(camera: string | undefined): void {
    this.#go({ ...this.place.value, setup: false, camera }, "push");
  }

  /** Where cameras are set up. The back button leads back. */
  setUp(): void {
    this.#go({ ...this.place.value, setup: true }, "push");
  }

  layout(layout: Layout): void {
    this.#go({ ...this.place.value, setup: false, camera: undefined, layout }, "replace");
  }

  filter(filter: string): void {
    this.#go({ ...this.place.value, setup: false, filter: filter.slice(0, LONGEST_FILTER) }, "replace");
  }

  #go(place: Place, how: "push" | "replace"): void {
    const url = new URL(location.href);
    // Otherwise `?camera=` would make the large camera come back.
    url.searchParams.delete("camera");
    url.hash = writePlace(place);
    if (how === "push") history.pushState(null, "", url);
    else history.replaceState(null, "", url);
    this.place.set(place);
  }
}
