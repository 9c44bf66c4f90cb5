// One camera on the wall: picture, name, figures. Click or Enter shows it large, and small again.

import { Dot, useTick, type Tone } from "@framecast/shared/components";
import { useObservable } from "@framecast/shared/observable";
import { formatAge, formatRate } from "@framecast/shared/words";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Camera } from "../camera.ts";
import type { Wall } from "../wall.ts";
import type { Sight } from "./sight.ts";
import { TileTools } from "./tile-tools.tsx";
import { describeOffline } from "./wording.ts";

interface TileProps {
  camera: Camera;
  wall: Wall;
  sight: Sight;
  large: boolean;
  /** Another camera is shown large. */
  hidden: boolean;
  onToggle: () => void;
}

export function Tile({ camera, wall, sight, large, hidden, onToggle }: TileProps): JSX.Element {
  const info = useObservable(camera.info);
  const link = useObservable(wall.link);
  const element = useRef<HTMLLIElement>(null);
  const place = useRef<HTMLSpanElement>(null);
  useTick(500);

  useEffect(() => {
    place.current?.append(camera.canvas);
    return element.current === null ? undefined : sight.watch(element.current, (interest) => wall.want(camera, interest));
  }, [camera]);

  const connected = link.phase === "live";
  const live = connected && info.online;
  const age = camera.ageMs;
  const { width, height } = camera.size;
  const tone: Tone = !connected ? "wait" : info.online ? "live" : "bad";
  return (
    <li
      ref={element}
      class="tile"
      hidden={hidden}
      data-testid="tile"
      data-camera={camera.id}
      data-online={info.online}
      data-live={live}
      data-large={large}
      data-fps={camera.fps.toFixed(1)}
      data-age-ms={age === undefined ? "" : Math.round(age)}
    >
      <div class="tile-stage">
      <button class="tile-picture" type="button" aria-pressed={large} aria-label={`${camera.title}: ${large ? "show all cameras" : "show large"}`} onClick={onToggle}>
        <span class="tile-place" ref={place} data-dim={!live} />
        <Overlay camera={camera} wall={wall} connected={connected} />
      </button>
      {/* Whatever else stands on the picture is a sibling of its button, not inside. */}
      <TileTools camera={camera} wall={wall} large={large} />
      </div>
      <div class="tile-caption">
        <h2 class="tile-name">
          <Dot tone={tone} />
          <span class="tile-title" title={info.name === "" ? camera.id : `${info.name} (${camera.id})`}>{camera.title}</span>
          <span class="unseen">{info.online ? " online" : " offline"}</span>
        </h2>
        <p class="tile-figures figure">
          <span class="tile-fps">{live ? `${Math.round(camera.fps)} fps` : "–"}</span>
          <span class="tile-age" title={`Age of the picture since it was ${camera.ageSinceCapture ? "taken" : "received by the server"}`}>
            {age === undefined ? "–" : formatAge(age)}
          </span>
          <span class="tile-size">{width === 0 ? "–" : `${width}×${height}`}</span>
          <span class="tile-rate">{live ? formatRate(camera.bytesPerSecond) : "–"}</span>
        </p>
      </div>
    </li>
  );
}

/** Words on the picture, where the picture does not speak for itself. */
function Overlay({ camera, wall, connected }: { camera: Camera; wall: Wall; connected: boolean }): JSX.Element | null {
  const info = useObservable(camera.info);
  if (!connected) return <Words title="No connection to the server" detail="This is the last picture." shown={camera.hasPicture} />;
  if (!info.online) {
    const words = describeOffline(info, (wall.serverNowUs() ?? Date.now() * 1000) / 1000);
    return <Words {...words} shown={camera.hasPicture} />;
  }
  return camera.hasPicture ? null : <Words title="Waiting for the first picture" detail="" shown={false} />;
}

function Words({ title, detail, shown }: { title: string; detail: string; shown: boolean }): JSX.Element {
  return (
    <span class="tile-words" data-over-picture={shown} data-testid="tile-words">
      <strong class="figure">{title}</strong>
      {detail !== "" && <span>{detail}</span>}
    </span>
  );
}
