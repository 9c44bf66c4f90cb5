// The wall of tiles: as many columns and rows as the layout says, in the room that the header leaves.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Camera } from "../camera.ts";
import { gridFor, type Layout } from "../mosaic/layout.ts";
import type { Wall } from "../wall.ts";
import { Sight } from "./sight.ts";
import { Tile } from "./tile.tsx";

interface MosaicProps {
  wall: Wall;
  /** In the order shown. */
  cameras: readonly Camera[];
  large: Camera | undefined;
  layout: Layout;
  onToggle: (camera: Camera) => void;
  onMove: (id: string, target: string) => void;
}

export function Mosaic({ wall, cameras, large, layout, onToggle, onMove }: MosaicProps): JSX.Element {
  const sight = useMemo(() => new Sight(), []);
  useEffect(() => () => sight.close(), [sight]);
  const list = useRef<HTMLUListElement>(null);
  const room = useRoom(list);
  const [target, setTarget] = useState<string>();
  const grid = gridFor(layout, cameras.length, room.width, room.height);
  return (
    <ul
      ref={list}
      class="wall"
      style={{ "--columns": grid.columns, "--rows": Math.max(1, grid.rows), "--room": `${room.height}px` }}
      data-testid="wall"
      data-layout={layout}
      data-columns={grid.columns}
      data-fits={grid.rows > 0}
      data-large={large !== undefined}
    >
      {cameras.map((camera) => (
        <Tile
          key={camera.id}
          camera={camera}
          wall={wall}
          sight={sight}
          large={camera === large}
          hidden={large !== undefined && camera !== large}
          target={camera.id === target}
          onToggle={() => onToggle(camera)}
          onDragOver={setTarget}
          onMove={cameras.length > 1 ? (to) => onMove(camera.id, to) : undefined}
        />
      ))}
    </ul>
  );
}

/** The room below the header, in CSS pixels, known before the first tile is drawn. */
function useRoom(list: { current: HTMLElement | null }): { width: number; height: number } {
  const [room, setRoom] = useState({ width: innerWidth, height: innerHeight });
  useLayoutEffect(() => {
    const measure = (): void => {
      const wall = list.current;
      if (wall === null) return;
      const width = wall.clientWidth;
      const height = innerHeight - (wall.getBoundingClientRect().top + scrollY);
      setRoom((before) => (before.width === width && before.height === height ? before : { width, height }));
    };
    measure();
    // The header may take another line, and bars of a phone's browser come and go.
    const sizes = new ResizeObserver(measure);
    const header = document.querySelector("header");
    if (header !== null) sizes.observe(header);
    window.addEventListener("resize", measure);
    return () => {
      sizes.disconnect();
      window.removeEventListener("resize", measure);
    };
  }, []);
  return room;
}
