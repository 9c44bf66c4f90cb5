// The page's header: what it is, how many cameras, the tools, and how the link stands.

import { localNowUs } from "@framecast/shared/clock";
import { Dot, useTick, Wordmark } from "@framecast/shared/components";
import { useObservable } from "@framecast/shared/observable";
import type { JSX } from "preact";
import type { Camera } from "../camera.ts";
import type { Layout } from "../mosaic/layout.ts";
import type { Wall } from "../wall.ts";
import { HeadTools } from "./head-tools.tsx";
import { describeCameras, describeLink } from "./wording.ts";

interface HeadProps {
  wall: Wall;
  cameras: readonly Camera[];
  layout: Layout;
  filter: string;
  capturePage: URL | undefined;
  /** Cameras are being set up. */
  setup: boolean;
  /** The id that the address asks for, where no camera has it. */
  missing: string | undefined;
  /** Set while one camera is shown large or looked for, and while cameras are set up. */
  onAll: (() => void) | undefined;
  onLayout: (layout: Layout) => void;
  onFilter: (filter: string) => void;
  onSetUp: () => void;
  onHelp: () => void;
}

export function Head(props: HeadProps): JSX.Element {
  const { wall, cameras, capturePage, setup, missing, onAll } = props;
  return (
    <header class="viewer-head">
      <h1>
        <Wordmark />
        <span class="unseen"> viewer</span>
      </h1>
      <p class="count figure" data-testid="count">
        {onAll !== undefined ? (
          <button class="all" type="button" data-testid="all" onClick={onAll}>
            ← All cameras
          </button>
        ) : (
          <Count cameras={cameras} />
        )}
      </p>
      <HeadTools {...props} empty={cameras.length === 0 || setup} />
      {capturePage !== undefined && cameras.length > 0 && !setup && (
        <a class="add" href={capturePage.href} target="_blank" rel="noreferrer" data-testid="add-camera">
          Add a camera
        </a>
      )}
      <LinkFigures wall={wall} />
      {missing !== undefined && (
        <p class="missing" role="status" data-testid="missing">
          <strong>There is no camera “{missing}”.</strong> Check the id{cameras.length > 0 ? ", or choose another below" : ""}. It is shown as soon as it sends or is set up.
        </p>
      )}
    </header>
  );
}

function Count({ cameras }: { cameras: readonly Camera[] }): JSX.Element | null {
  useTick(500);
  return cameras.length === 0 ? null : <>{describeCameras(cameras.filter((camera) => camera.info.value.online).length, cameras.length)}</>;
}

/** Drawn anew four times a second for the countdown. */
function LinkFigures({ wall }: { wall: Wall }): JSX.Element {
  const link = useObservable(wall.link);
  useTick(250);
  const wording = describeLink(link, localNowUs() / 1000);
  return (
    <>
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
