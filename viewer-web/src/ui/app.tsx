// The page: header, wall of tiles, and what to do when there are none.

import { localNowUs } from "@framecast/shared/clock";
import { Dot, useTick, Wordmark } from "@framecast/shared/components";
import { useObservable } from "@framecast/shared/observable";
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { findCapturePage, onPort } from "../capture-page.ts";
import type { Camera } from "../camera.ts";
import type { Route } from "../route.ts";
import type { Wall } from "../wall.ts";
import { Empty } from "./empty.tsx";
import { HeadTools } from "./head-tools.tsx";
import { Sight } from "./sight.ts";
import { Tile } from "./tile.tsx";
import { describeCameras, describeLink } from "./wording.ts";

export function App({ wall, route }: { wall: Wall; route: Route }): JSX.Element {
  const cameras = useObservable(wall.cameras);
  const known = useObservable(wall.known);
  const wanted = useObservable(route.large);
  const link = useObservable(wall.link);
  const trouble = link.phase === "reconnecting" ? link.reason : link.phase === "connecting" ? link.after : undefined;
  const capturePage = useCapturePage();
  const sight = useMemo(() => new Sight(), []);
  useEffect(() => () => sight.close(), [sight]);
  useEffect(() => route.follow(), [route]);

  // A camera that the address asks for and that does not exist yet is waited for, with all others in sight.
  const large = cameras.find((camera) => camera.id === wanted);
  useKeys(route, cameras, large);

  return (
    <div class="viewer" data-testid="viewer" data-link={link.phase} data-transport={link.phase === "live" ? link.kind : ""}>
      <header class="viewer-head">
        <h1>
          <Wordmark />
          <span class="unseen"> viewer</span>
        </h1>
        <HeadFigures wall={wall} cameras={cameras} onAll={large === undefined ? undefined : () => route.show(undefined)} />
        <HeadTools wall={wall} />
        {capturePage !== undefined && cameras.length > 0 && (
          <a class="add" href={capturePage.href} target="_blank" rel="noreferrer" data-testid="add-camera">
            Add a camera
          </a>
        )}
      </header>
      <p class="unseen" aria-live="polite">
        <News wall={wall} />
      </p>
      <main>
        {cameras.length > 0 && (
          <ul class="wall" data-testid="wall" data-count={Math.min(cameras.length, 5)} data-large={large !== undefined}>
            {cameras.map((camera) => (
              <Tile key={camera.id} camera={camera} wall={wall} sight={sight} large={camera === large} hidden={large !== undefined && camera !== large} onToggle={() => route.show(camera === large ? undefined : camera.id)} />
            ))}
          </ul>
        )}
        {known && cameras.length === 0 && <Empty capturePage={capturePage ?? onPort(8080)} />}
        {!known && trouble !== undefined && (
          <section class="notice" data-testid="unreachable">
            <h2>The server cannot be reached</h2>
            <p>{trouble} This page keeps trying and goes on by itself.</p>
          </section>
        )}
      </main>
    </div>
  );
}

interface HeadProps {
  wall: Wall;
  cameras: readonly Camera[];
  /** Set while one camera is shown large. */
  onAll: (() => void) | undefined;
}

/** Online count, or the way back, and the link; drawn anew four times a second for the countdown. */
function HeadFigures({ wall, cameras, onAll }: HeadProps): JSX.Element {
  const link = useObservable(wall.link);
  useTick(250);
  const wording = describeLink(link, localNowUs() / 1000);
  return (
    <>
      <p class="count figure" data-testid="count">
        {onAll !== undefined ? (
          <button class="all" type="button" data-testid="all" onClick={onAll}>
            ← All cameras
          </button>
        ) : cameras.length > 0 ? describeCameras(cameras.filter((camera) => camera.info.value.online).length, cameras.length) : null}
      </p>
      <p class="link" data-testid="link" title={wording.detail}>
        <Dot tone={wording.tone} />
        <span class="figure">{wording.title}</span>
      </p>
      <p class="unseen" aria-live="polite">
        {wording.spoken}
      </p>
    </>
  );
}

function News({ wall }: { wall: Wall }): JSX.Element {
  return <>{useObservable(wall.news)}</>;
}

/** `undefined` until the server has said where. */
function useCapturePage(): URL | undefined {
  const [page, setPage] = useState<URL>();
  useEffect(() => {
    let current = true;
    findCapturePage().then((found) => current && setPage(found), () => undefined);
    return () => {
      current = false;
    };
  }, []);
  return page;
}

/** Escape shows all again; the arrows go from camera to camera. */
function useKeys(route: Route, cameras: readonly Camera[], large: Camera | undefined): void {
  useEffect(() => {
    if (large === undefined) return;
    const onKey = (event: KeyboardEvent): void => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (event.key === "Escape") route.show(undefined);
      else if (step !== 0) route.show(cameras[(cameras.indexOf(large) + step + cameras.length) % cameras.length]?.id);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [route, cameras, large]);
}
