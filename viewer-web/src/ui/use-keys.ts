// Does what the keys ask for.

import { useEffect } from "preact/hooks";
import type { Camera } from "../camera.ts";
import type { Layout } from "../mosaic/layout.ts";
import type { Route } from "../route.ts";
import type { Wall } from "../wall.ts";
import { deedOf, isBusy, stepped, type Step } from "./keys.ts";
import { fill, float, snapshot, toggleSound } from "./tile-tools.tsx";

interface KeyProps {
  wall: Wall;
  route: Route;
  /** As shown, in this order. */
  cameras: readonly Camera[];
  large: Camera | undefined;
  /** Another view than the wall is shown; there, keys only lead back. */
  away: boolean;
  onMove: (id: string, target: string) => void;
  onLayout: (layout: Layout) => void;
  onHelp: () => void;
}

export function useKeys({ wall, route, cameras, large, away, onMove, onLayout, onHelp }: KeyProps): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || isBusy(event.target)) return;
      const deed = deedOf(event);
      if (deed === undefined || (away && deed.do !== "back" && deed.do !== "help")) return;
      const camera = large ?? focused(cameras);
      switch (deed.do) {
        case "step":
          if (!step(deed.step)) return;
          break;
        case "move": {
          const target = camera === undefined ? undefined : beside(camera, deed.step);
          if (large !== undefined || camera === undefined || target === undefined) return;
          onMove(camera.id, target.id);
          // Moving takes the focus away; it goes on with the camera.
          requestAnimationFrame(() => focusOn(camera));
          break;
        }
        case "layout":
          onLayout(deed.layout);
          break;
        case "back":
          if (large === undefined && !away) return;
          route.show(undefined);
          break;
        case "filter":
          document.querySelector<HTMLElement>("[data-testid=filter]")?.focus();
          break;
        case "help":
          onHelp();
          break;
        case "fullscreen":
          if (camera !== undefined) void fill(wall, camera);
          break;
        case "float":
          if (camera !== undefined) void float(wall, camera);
          break;
        case "sound":
          if (camera !== undefined) toggleSound(camera);
          break;
        case "snapshot":
          if (camera !== undefined) void snapshot(wall, camera);
      }
      event.preventDefault();
    };

    /** To the next camera: the large one changes, or the focus goes. False where the key is better left alone. */
    const step = (way: Step): boolean => {
      if (large !== undefined) {
        if (way === "up" || way === "down") return false;
        const by = way === "left" ? -1 : 1;
        route.show(cameras[(cameras.indexOf(large) + by + cameras.length) % cameras.length]?.id);
        return true;
      }
      const from = focused(cameras);
      // Without a camera that has the focus, up and down scroll.
      const to = from === undefined ? (way === "left" || way === "right" ? cameras[0] : undefined) : beside(from, way);
      if (to !== undefined) focusOn(to);
      return to !== undefined || from !== undefined;
    };

    const beside = (camera: Camera, way: Step): Camera | undefined => {
      const columns = Number(document.querySelector<HTMLElement>("[data-testid=wall]")?.dataset["columns"] ?? "1");
      const index = cameras.indexOf(camera);
      const to = stepped(index, way, cameras.length, columns);
      return to === index ? undefined : cameras[to];
    };

    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [wall, route, cameras, large, away, onMove, onLayout, onHelp]);
}

/** The camera whose tile has the focus. */
function focused(cameras: readonly Camera[]): Camera | undefined {
  const tile = document.activeElement?.closest<HTMLElement>("[data-camera]");
  return cameras.find((camera) => camera.id === tile?.dataset["camera"]);
}

function focusOn(camera: Camera): void {
  const picture = camera.canvas.closest<HTMLElement>("button");
  picture?.focus();
  picture?.scrollIntoView({ block: "nearest" });
}
