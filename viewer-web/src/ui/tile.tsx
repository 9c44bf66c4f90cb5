// One camera on the wall: picture, name, figures. Click or Enter shows it large, and small again.

import { Dot, useTick, type Tone } from "@framecast/shared/components";
import { useObservable } from "@framecast/shared/observable";
import { formatAge, formatRate, sentence } from "@framecast/shared/words";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Camera } from "../camera.ts";
import type { Wall } from "../wall.ts";
import type { PlayState } from "../video/player.ts";
import { useNoSound, usePlay } from "../video/use-play.ts";
import { widthOf, type Sight } from "./sight.ts";
import { TileTools } from "./tile-tools.tsx";
import { describeBadge, describeNoSound, describeOffline, describePlay, describeQuality, describeRefusal, describeWaiting } from "./wording.ts";

export interface TileProps {
  camera: Camera;
  wall: Wall;
  sight: Sight;
  large: boolean;
  /** Another camera is shown large. */
  hidden: boolean;
  /** Another camera is being dragged over this one. */
  target: boolean;
  onToggle: () => void;
  onDragOver: (target: string | undefined) => void;
  /** Puts this camera where another is; absent where there is only one. */
  onMove: ((target: string) => void) | undefined;
}

export function Tile(props: TileProps): JSX.Element {
  const { camera, wall, sight, large, hidden, target, onToggle } = props;
  const info = useObservable(camera.info);
  const link = useObservable(wall.link);
  const floating = useObservable(camera.floating);
  const refusal = useObservable(camera.refusal);
  const element = useRef<HTMLLIElement>(null);
  const place = useRef<HTMLSpanElement>(null);
  const { player, state } = usePlay(camera);
  useTick(500);

  useEffect(() => {
    place.current?.append(camera.canvas);
    if (player !== undefined) place.current?.append(player.stage);
  }, [camera, player]);
  useEffect(
    // A camera in a window of its own is in sight wherever its tile is.
    () => (element.current === null ? undefined : sight.watch(element.current, floating, (interest) => wall.want(camera, interest))),
    [camera, floating],
  );

  // What is no longer drawn is out of sight, unless it has a window of its own.
  useEffect(() => () => wall.want(camera, { visible: camera.floating.value, width: widthOf(0, camera.floating.value), fps: undefined }), [camera]);

  const connected = link.phase === "live";
  const playing = state?.phase === "playing";
  // Video comes on a connection of its own. A picture of a camera that may not play is not live, whatever the camera is.
  // Nor is what the server does not send; unless others' watching brings its pictures here, too.
  const refused = refusal !== undefined && !camera.moving;
  const live = playing || (connected && info.online && !refused && (state === undefined || state.phase === "jpeg"));
  const age = camera.ageMs;
  const { width, height } = camera.size;
  const tone: Tone = playing ? "live" : !connected || refused || state?.phase === "opening" || state?.phase === "resting" ? "wait" : info.online && state?.phase !== "waiting" ? "live" : "bad";
  const quality = describeQuality(camera.quality);
  const way = describePlay(camera.play);
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
      data-target={target}
      data-fps={camera.fps.toFixed(1)}
      data-age-ms={age === undefined ? "" : Math.round(age)}
      data-quality={camera.quality ?? ""}
      data-play={camera.play ?? ""}
      data-phase={state?.phase ?? ""}
    >
      <div class="tile-stage">
        <button class="tile-picture" type="button" aria-pressed={large} aria-label={`${camera.title}: ${large ? "show all cameras" : "show large"}`} onClick={onToggle}>
          <span class="tile-place" ref={place} data-dim={!live && state?.phase !== "resting"} />
        </button>
        {/* Whatever stands on the picture is a sibling of its button, not inside: the button has a name of its own. */}
        {(live || state?.phase === "resting") && camera.hasPicture && <Badge camera={camera} />}
        {width > 0 && (live || state?.phase === "resting") && (
          <span class="tile-badge tile-format figure" title={way === undefined ? "Size of the pictures, and the quality in use, which follows the size shown and the connection" : way.detail} data-testid="format">
            {width}×{height}
            {way !== undefined && <span data-testid="play"> {way.title}</span>}
            {quality !== "" && <span data-testid="quality"> {quality}</span>}
          </span>
        )}
        <Overlay camera={camera} wall={wall} connected={connected} state={state} />
        <NoSound camera={camera} />
        <TileTools {...props} />
      </div>
      <div class="tile-caption">
        <h2 class="tile-name">
          <Dot tone={tone} />
          <span class="tile-title" title={info.name === "" ? camera.id : `${info.name} (${camera.id})`}>{camera.title}</span>
          <span class="unseen">{info.online || playing ? " online" : " offline"}</span>
        </h2>
        <p class="tile-figures figure" data-testid="tile-figures">
          <span class="tile-fps">{live ? `${Math.round(camera.fps)} fps` : "–"}</span>
          <span class="tile-age" title={`Age of the picture since it was ${camera.ageSinceCapture ? "taken" : "received by the server"}`}>
            {age === undefined ? "–" : formatAge(age)}
          </span>
          <span class="tile-rate">{live ? formatRate(camera.bytesPerSecond) : "–"}</span>
        </p>
      </div>
    </li>
  );
}

/** LIVE while pictures come, and how old the last one is when they stop. */
function Badge({ camera }: { camera: Camera }): JSX.Element {
  const { text, tone } = describeBadge(camera.moving, camera.ageMs);
  return (
    <span class="tile-badge figure" data-tone={tone} data-testid="badge">
      {text}
    </span>
  );
}

/** For a while after sound was asked for in vain; the picture goes on. */
function NoSound({ camera }: { camera: Camera }): JSX.Element | null {
  const why = useNoSound(camera);
  return why === undefined ? null : (
    <p class="tile-note" role="status" data-testid="no-sound">
      {describeNoSound(why)}
    </p>
  );
}

/** Words on the picture, where the picture does not speak for itself. */
function Overlay({ camera, wall, connected, state }: { camera: Camera; wall: Wall; connected: boolean; state: PlayState | undefined }): JSX.Element | null {
  const info = useObservable(camera.info);
  const age = camera.ageMs;
  if (state?.phase === "playing") return null;
  if (!connected) {
    const detail = camera.hasPicture ? `This is the last picture${age === undefined ? "" : `, ${formatAge(age)} old`}.` : "";
    return <Words title="No connection to the server" detail={detail} shown={camera.hasPicture} />;
  }
  const last = camera.hasPicture && age !== undefined ? `This is the last picture, ${formatAge(age)} old.` : "";
  switch (state?.phase) {
    case "opening":
      return <Words title="Connecting to the camera" detail={info.online ? "" : sentence(info.reason ?? "")} last={last} shown={camera.hasPicture} />;
    case "waiting":
      return <Words {...describeWaiting(state, state.atMs - performance.now())} last={last} shown={camera.hasPicture} />;
    case "resting":
      return camera.hasPicture ? null : <Words title="Waiting for a picture" detail="So many cameras play already that this one shows stills." shown={false} />;
    case "idle":
      return null;
    case "jpeg":
    case undefined:
  }
  if (camera.refusal.value !== undefined && !camera.moving) {
    return <Words {...describeRefusal(camera.refusal.value)} last={last} shown={camera.hasPicture} />;
  }
  if (!info.online) {
    const words = describeOffline(info, (wall.serverNowUs() ?? Date.now() * 1000) / 1000);
    return <Words {...words} shown={camera.hasPicture} />;
  }
  return camera.hasPicture ? null : <Words title="Waiting for the first picture" detail="" shown={false} />;
}

function Words({ title, detail, last = "", shown }: { title: string; detail: string; last?: string; shown: boolean }): JSX.Element {
  return (
    <span class="tile-words" data-over-picture={shown} data-testid="tile-words">
      <strong class="figure">{title}</strong>
      {detail !== "" && <span>{detail}</span>}
      {last !== "" && <span class="figure">{last}</span>}
    </span>
  );
}
