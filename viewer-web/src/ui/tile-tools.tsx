// The toolbar on a tile's picture: what can be done with one camera. A further tool is one more line here.

import type { JSX } from "preact";
import type { Camera } from "../camera.ts";
import { ReplayButton } from "../replay/button.tsx";
import type { Wall } from "../wall.ts";

export interface TileToolsProps {
  camera: Camera;
  wall: Wall;
  /** Shown over the whole page. */
  large: boolean;
}

export function TileTools({ camera }: TileToolsProps): JSX.Element {
  return (
    <div class="tile-tools" role="toolbar" aria-label={`Tools for ${camera.title}`} data-testid="tile-tools">
      <ReplayButton camera={camera.id} title={camera.title} />
    </div>
  );
}
