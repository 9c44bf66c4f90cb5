// How a camera's video plays, for components.

import { Observable, useObservable } from "@framecast/shared/observable";
import type { Camera } from "../camera.ts";
import type { Player, PlayState } from "./player.ts";
import type { Why } from "./way.ts";

const SILENT = new Observable<boolean | undefined>(undefined);
const NOTHING = new Observable<Why | undefined>(undefined);
const NONE = new Observable<PlayState | undefined>(undefined);

/** `undefined` for a camera without video. */
export function usePlay(camera: Camera): { player: Player | undefined; state: PlayState | undefined } {
  const player = useObservable(camera.player);
  const state = useObservable<PlayState | undefined>((player?.state as Observable<PlayState | undefined> | undefined) ?? NONE);
  return { player, state: player === undefined ? undefined : state };
}

/** Why the sound that was asked for is not to be had. */
export function useNoSound(camera: Camera): Why | undefined {
  const player = useObservable(camera.player);
  return useObservable(player?.noSound ?? NOTHING);
}

/** Whether the camera is heard; `undefined` for one without sound. */
export function useSound(camera: Camera): boolean | undefined {
  const player = useObservable(camera.player);
  return useObservable(player?.sound ?? SILENT);
}
