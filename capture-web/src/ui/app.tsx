// The page: preview, state, figures, settings. It holds what was chosen; everything that happens is the
// station's.

import { isCameraId } from "@framecast/shared/camera-id";
import { Dot, useTick, Wordmark } from "@framecast/shared/components";
import { useObservable } from "@framecast/shared/observable";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { listCameras, watchCameras, type CameraChoice } from "../media/camera.ts";
import type { Options } from "../options.ts";
import { addressOf, remember } from "../remembered.ts";
import type { Station, StationState } from "../station.ts";
import { advise, placeOf } from "./advice.ts";
import { Figures } from "./figures.tsx";
import { Preview } from "./preview.tsx";
import { PictureFields, WhoFields } from "./settings.tsx";
import { describe, speak } from "./wording.ts";

interface AppProps {
  station: Station;
  options: Options;
}

const WIDE = "(min-width: 56rem)";

export function App(props: AppProps): JSX.Element {
  const { station } = props;
  const state = useObservable(station.state);
  const complaint = useObservable(station.complaint);
  const notice = useObservable(station.notice);
  const offers = useObservable(station.offers);
  const cameras = useCameras(state.phase);
  const [options, setOptions] = useState(props.options);
  const [pictureOpen] = useState(() => matchMedia(WIDE).matches);
  const valid = isCameraId(options.camera);
  const busy = station.running;
  useTick(250);

  const change = (changed: Partial<Options>): void => {
    const next = { ...options, ...changed };
    setOptions(next);
    if (!isCameraId(next.camera)) return;
    remember(next);
    // The address then says what runs: a reload, or a bookmark, goes on.
    if (busy) history.replaceState(null, "", addressOf(next, location.href));
    station.change(next);
  };

  const start = (): void => {
    if (!valid) return;
    remember(options);
    history.replaceState(null, "", addressOf(options, location.href));
    station.start(options).catch(reportFailure);
  };

  useEffect(() => {
    if (props.options.autostart && valid) station.start(props.options).catch(reportFailure);
    return () => station.stop();
  }, []);

  const title = titleOf(state, options, station.backgroundRate);
  useEffect(() => {
    document.title = title;
  }, [title]);

  const { system, ...place } = placeOf({ location, navigator, framed: window.parent !== window });
  const facing = system !== "desktop" || matchMedia("(pointer: coarse)").matches;
  const wording = describe(state, performance.now(), navigator.onLine);
  const remark = complaint === undefined ? notice : `Refused by the server: ${complaint}`;
  return (
    <main class="capture" data-testid="capture" data-state={state.phase} data-path={state.phase === "live" ? state.path : ""} data-trouble={state.phase === "camera-failed" ? state.kind : ""}>
      <header class="capture-head">
        <h1>
          <Wordmark />
          <span class="unseen"> capture</span>
        </h1>
        <p class="capture-role">Capture</p>
      </header>

      <Preview
        element={station.preview}
        running={busy}
        shown={options.preview}
        advice={state.phase === "camera-failed" ? advise(state.kind, { ...place, system }) : undefined}
        onFlip={facing ? () => change({ device: options.device === "front" ? "back" : "front" }) : undefined}
        onShow={(preview) => change({ preview })}
      />

      <div class="panel">
        <section class="state" aria-label="State">
          <Dot tone={remark === undefined ? wording.tone : "wait"} />
          <div>
            <h2 data-testid="state-title" class="figure">{wording.title}</h2>
            <p class="state-detail" data-testid="state-detail">{remark ?? wording.detail}</p>
          </div>
        </section>
        <p class="unseen" aria-live="polite">
          {speak(state)} {remark}
        </p>

        <form
          class="settings"
          onSubmit={(event) => {
            event.preventDefault();
            if (busy) station.stop();
            else start();
          }}
        >
          <button class="button" data-kind={busy ? "plain" : "main"} type="submit" disabled={!busy && (!valid || hopeless(state))} data-testid={busy ? "stop" : "start"}>
            {buttonWord(state, busy)}
          </button>
          <WhoFields options={options} busy={busy} cameras={cameras} facing={facing} onChange={change} />
          <details class="picture" open={pictureOpen}>
            <summary>Picture</summary>
            <div class="settings">
              <PictureFields options={options} offers={offers} onChange={change} />
            </div>
          </details>
        </form>
      </div>

      <Figures station={station} />
    </main>
  );
}

/** No press of a button can mend these. */
function hopeless(state: StationState): boolean {
  return state.phase === "camera-failed" && (state.kind === "insecure" || state.kind === "unsupported");
}

function buttonWord({ phase }: StationState, busy: boolean): string {
  if (busy) return "Stop";
  if (phase === "replaced") return "Take the camera back";
  if (phase === "camera-failed") return "Try again";
  return phase === "refused" ? "Start again" : "Start";
}

/** All that is seen of a page in the background is its title. */
function titleOf(state: StationState, { camera, name, fps }: Options, backgroundRate: number | undefined): string {
  if (state.phase !== "live") return "framecast capture";
  const slowed = backgroundRate !== undefined && backgroundRate < fps / 2;
  return slowed ? `◐ slowed to ${backgroundRate.toFixed(0)} fps · ${name || camera}` : `● ${name || camera} · framecast`;
}

/** The list changes when cameras come and go, and gains names once permission was given. */
function useCameras(phase: string): CameraChoice[] {
  const [cameras, setCameras] = useState<CameraChoice[]>([]);
  useEffect(() => {
    let current = true;
    const refresh = (): void => {
      listCameras().then((found) => current && setCameras(found), () => undefined);
    };
    refresh();
    const release = watchCameras(refresh);
    return () => {
      current = false;
      release();
    };
  }, [phase]);
  return cameras;
}

/** The station tells failures through its state; one that gets here is a mistake in the page. */
function reportFailure(error: unknown): void {
  console.error(error);
}
