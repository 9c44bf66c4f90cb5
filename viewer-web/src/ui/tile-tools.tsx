// The toolbar on a tile's picture: what can be done with one camera. A further tool is one more line here.

import { useObservable } from "@framecast/shared/observable";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Camera } from "../camera.ts";
import { ReplayButton } from "../replay/button.tsx";
import type { Wall } from "../wall.ts";
import { hasPictureInPicture, saveSnapshot, toggleFullscreen, togglePictureInPicture } from "./actions.ts";
import { drag } from "./drag.ts";
import { useSound } from "../video/use-play.ts";
import { SignOf, Tool } from "./tool.tsx";

export interface TileToolsProps {
  camera: Camera;
  wall: Wall;
  /** Shown over the whole page. */
  large: boolean;
  onDragOver: (target: string | undefined) => void;
  /** Puts this camera where another is; absent where there is only one. */
  onMove: ((target: string) => void) | undefined;
}

export function TileTools({ camera, wall, large, onDragOver, onMove }: TileToolsProps): JSX.Element {
  const floating = useObservable(camera.floating);
  return (
    <div class="tile-tools" role="toolbar" aria-label={`Tools for ${camera.title}`} data-testid="tile-tools">
      <ReplayButton camera={camera.id} title={camera.title} />
      <SoundButton camera={camera} />
      <Tool label="Save a picture (s)" sign="snapshot" testId="snapshot" disabled={!camera.hasPicture} onClick={() => void snapshot(wall, camera)} />
      {hasPictureInPicture && <Tool label="Picture in picture (p)" sign="pip" testId="pip" pressed={floating} disabled={!camera.hasPicture} onClick={() => void float(wall, camera)} />}
      {document.fullscreenEnabled && <Tool label="Full screen (f)" sign="fullscreen" testId="fullscreen" onClick={() => void fill(wall, camera)} />}
      {!large && onMove !== undefined && <MoveHandle camera={camera} onDragOver={onDragOver} onMove={onMove} />}
    </div>
  );
}

/** Nothing where the camera has no sound. Until it is pressed nobody hears anything. */
function SoundButton({ camera }: { camera: Camera }): JSX.Element | null {
  const sound = useSound(camera);
  if (sound === undefined) return null;
  return <Tool label="Sound (m)" sign={sound ? "sound" : "muted"} testId="sound" pressed={sound} onClick={() => toggleSound(camera)} />;
}

/** Lets a camera that has sound be heard, or no more. */
export function toggleSound({ player }: Camera): void {
  player.value?.listen(player.value.sound.value !== true);
}

/** The browser's own full screen, and back. */
export async function fill(wall: Wall, camera: Camera): Promise<void> {
  const tile = camera.canvas.closest<HTMLElement>("[data-testid=tile]");
  if (tile !== null) await toggleFullscreen(tile).catch(() => wall.news.set("The browser refuses full screen."));
}

/** Saves a picture and says so, for those who listen. */
export async function snapshot(wall: Wall, camera: Camera): Promise<void> {
  const saved = await saveSnapshot(wall, camera).catch(() => false);
  wall.news.set(saved ? `Saved a picture of ${camera.title}.` : `There is no picture of ${camera.title} yet.`);
}

export async function float(wall: Wall, camera: Camera): Promise<void> {
  await togglePictureInPicture(camera).catch(() => wall.news.set("The browser refuses picture in picture."));
}

function MoveHandle({ camera, onDragOver, onMove }: { camera: Camera; onDragOver: TileToolsProps["onDragOver"]; onMove: (target: string) => void }): JSX.Element {
  const [held, setHeld] = useState(false);
  const start = (event: PointerEvent): void => {
    setHeld(true);
    drag(event, camera.id, onDragOver, (target) => {
      setHeld(false);
      if (target !== undefined) onMove(target);
    });
  };
  return (
    <button class="tool tool-move" type="button" title="Drag to move, or Shift and an arrow key" aria-label={`Move ${camera.title}: Shift and an arrow key`} aria-pressed={held} data-testid="move" onPointerDown={start}>
      <SignOf sign="move" />
    </button>
  );
}
