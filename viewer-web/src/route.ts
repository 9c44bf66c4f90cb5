// Which camera is shown large, as the address says: `#camera=door`, or `?camera=door` when the page is opened.

import { isCameraId } from "@framecast/shared/camera-id";
import { Observable } from "@framecast/shared/observable";

export function largeCamera(hash: string, search: string): string | undefined {
  const fromHash = new URLSearchParams(hash.replace(/^#/, "")).get("camera");
  const camera = fromHash ?? new URLSearchParams(search).get("camera") ?? "";
  return isCameraId(camera) ? camera : undefined;
}

export class Route {
  readonly large = new Observable<string | undefined>(undefined);

  /** Follows the address; returns the release. */
  follow(): () => void {
    const read = (): void => this.large.set(largeCamera(location.hash, location.search));
    read();
    window.addEventListener("hashchange", read);
    return () => window.removeEventListener("hashchange", read);
  }

  /** Shows this camera large, or all. The back button undoes it. */
  show(camera: string | undefined): void {
    const url = new URL(location.href);
    // Otherwise `?camera=` would make the large camera come back.
    url.searchParams.delete("camera");
    url.hash = camera === undefined ? "" : `camera=${camera}`;
    history.pushState(null, "", url);
    this.large.set(camera);
  }
}
