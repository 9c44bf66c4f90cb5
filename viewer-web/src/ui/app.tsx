// The page: header, wall of tiles, and what to do when there are none.

import { useObservable } from "@framecast/shared/observable";
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { findCapturePage, onPort } from "../capture-page.ts";
import type { Arrangement } from "../mosaic/arrangement.ts";
import { arrange, matches } from "../mosaic/order.ts";
import type { Route } from "../route.ts";
import type { Wall } from "../wall.ts";
import { Empty } from "./empty.tsx";
import { Head } from "./head.tsx";
import { Help } from "./help.tsx";
import { Mosaic } from "./mosaic.tsx";
import { SetUp } from "./set-up.tsx";
import { useKeys } from "./use-keys.ts";

export function App({ wall, route, arrangement }: { wall: Wall; route: Route; arrangement: Arrangement }): JSX.Element {
  const all = useObservable(wall.cameras);
  const known = useObservable(wall.known);
  const place = useObservable(route.place);
  const order = useObservable(arrangement.order);
  const link = useObservable(wall.link);
  const trouble = link.phase === "reconnecting" ? link.reason : link.phase === "connecting" ? link.after : undefined;
  const capturePage = useCapturePage();
  const [help, setHelp] = useState(false);
  useEffect(() => route.follow(), [route]);

  // A camera that the address asks for and that does not exist yet is waited for, with all others in sight.
  const large = all.find((camera) => camera.id === place.camera);
  const missing = known && large === undefined && !place.setup ? place.camera : undefined;
  const layout = place.layout ?? arrangement.layout;
  const cameras = useMemo(() => arrange(all, order).filter((camera) => camera === large || matches(place.filter, camera.id, camera.title)), [all, order, large, place.filter]);
  const shown = cameras.map(({ id }) => id);
  const onMove = (id: string, target: string): void => {
    arrangement.move(arrange(all, order).map((camera) => camera.id), id, target);
    const title = all.find((camera) => camera.id === id)?.title ?? id;
    wall.news.set(`${title} is now at place ${shown.indexOf(target) + 1} of ${shown.length}.`);
  };
  const onLayout = (chosen: typeof layout): void => {
    arrangement.keepLayout(chosen);
    route.layout(chosen);
  };
  useKeys({ wall, route, cameras: place.setup ? [] : cameras, large, away: place.setup, onMove, onLayout, onHelp: () => setHelp(true) });

  return (
    <div class="viewer" data-testid="viewer" data-link={link.phase} data-transport={link.phase === "live" ? link.kind : ""}>
      <Head
        wall={wall}
        cameras={all}
        layout={layout}
        filter={place.filter}
        capturePage={capturePage}
        setup={place.setup}
        missing={missing}
        onAll={large === undefined && missing === undefined && !place.setup ? undefined : () => route.show(undefined)}
        onSetUp={() => route.setUp()}
        onLayout={onLayout}
        onFilter={(filter) => route.filter(filter)}
        onHelp={() => setHelp(true)}
      />
      <p class="unseen" aria-live="polite">
        <News wall={wall} />
      </p>
      <main>
        {place.setup ? (
          <SetUp wall={wall} capturePage={capturePage} />
        ) : (
          <>
            {cameras.length > 0 && <Mosaic wall={wall} cameras={cameras} large={large} layout={layout} onToggle={(camera) => route.show(camera === large ? undefined : camera.id)} onMove={onMove} />}
            {all.length > 0 && cameras.length === 0 && (
              <section class="notice" data-testid="no-match">
                <h2>No camera is called “{place.filter}”</h2>
                <p>
                  <button class="button" type="button" onClick={() => route.filter("")}>
                    Show all {all.length}
                  </button>
                </p>
              </section>
            )}
            {known && all.length === 0 && <Empty capturePage={capturePage ?? onPort(8080)} onSetUp={() => route.setUp()} />}
          </>
        )}
        {!known && !place.setup && trouble !== undefined && (
          <section class="notice" data-testid="unreachable">
            <h2>The server cannot be reached</h2>
            <p>{trouble} This page keeps trying and goes on by itself.</p>
          </section>
        )}
      </main>
      {help && <Help onClose={() => setHelp(false)} />}
    </div>
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
