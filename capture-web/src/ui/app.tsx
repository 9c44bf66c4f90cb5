// The page: preview, state, figures, settings. It holds what was typed; everything that happens is the
// station's.

import { Dot, useTick, Wordmark } from "@framecast/shared/components";
import { CAMERA_ID_RULE, isCameraId } from "@framecast/shared/camera-id";
import { useObservable } from "@framecast/shared/observable";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { listCameras, watchCameras, type CameraChoice } from "../media/camera.ts";
import type { Options } from "../options.ts";
import { remember } from "../remembered.ts";
import type { Station } from "../station.ts";
import { Figures } from "./figures.tsx";
import { describe, speak } from "./wording.ts";

interface AppProps {
  station: Station;
  options: Options;
  deviceId: string;
}

export function App(props: AppProps): JSX.Element {
  const { station } = props;
  const state = useObservable(station.state);
  const complaint = useObservable(station.complaint);
  const cameras = useCameras(state.phase);
  const [camera, setCamera] = useState(props.options.camera);
  const [name, setName] = useState(props.options.name);
  const [deviceId, setDeviceId] = useState(props.deviceId);
  const chosenDevice = cameras.some((choice) => choice.deviceId === deviceId) ? deviceId : "";
  const valid = isCameraId(camera);
  const busy = station.running;
  useTick(250);

  const start = (): void => {
    if (!valid) return;
    remember({ camera, name, deviceId: chosenDevice });
    // The address then says what runs: a reload, or a bookmark, goes on.
    const address = new URL(location.href);
    address.searchParams.set("camera", camera);
    if (name === "") address.searchParams.delete("name");
    else address.searchParams.set("name", name);
    history.replaceState(null, "", address);
    station.start({ ...props.options, camera, name }, chosenDevice).catch(reportFailure);
  };

  useEffect(() => {
    if (props.options.autostart) station.start(props.options, props.deviceId).catch(reportFailure);
    return () => station.stop();
  }, []);

  useEffect(() => {
    document.title = state.phase === "live" ? `● ${name || camera} · framecast` : "framecast capture";
  }, [state.phase, camera, name]);

  const switchDevice = (id: string): void => {
    setDeviceId(id);
    remember({ camera, name, deviceId: id });
    if (busy) station.switchCamera({ ...props.options, camera, name }, id).catch(reportFailure);
  };

  const wording = describe(state, performance.now());
  return (
    <main class="capture" data-testid="capture" data-state={state.phase} data-path={state.phase === "live" ? state.path : ""}>
      <header class="capture-head">
        <h1>
          <Wordmark />
          <span class="unseen"> capture</span>
        </h1>
        <p class="capture-role">Capture</p>
      </header>

      <section class="preview" aria-label="Preview">
        <Preview element={station.preview} />
        {!busy && <p class="preview-empty">{state.phase === "idle" ? "The preview appears here." : ""}</p>}
      </section>

      <div class="panel">
        <section class="state" aria-label="State">
          <Dot tone={wording.tone} />
          <div>
            <h2 data-testid="state-title" class="figure">{wording.title}</h2>
            <p class="state-detail" data-testid="state-detail">{wording.detail}</p>
          </div>
        </section>
        <p class="unseen" aria-live="polite">
          {speak(state)}
        </p>
        <p class="complaint" role="status" data-testid="complaint" hidden={complaint === undefined}>
          Refused by the server: {complaint}
        </p>

        <form
          class="settings"
          onSubmit={(event) => {
            event.preventDefault();
            if (busy) station.stop();
            else start();
          }}
        >
          <label class="field">
            <span>Camera</span>
            <select value={chosenDevice} onChange={(event) => switchDevice(event.currentTarget.value)} data-testid="device">
              <option value="">Default camera</option>
              {cameras.map((choice) => (
                <option key={choice.deviceId} value={choice.deviceId}>
                  {choice.label}
                </option>
              ))}
            </select>
          </label>
          <div class="field-pair">
            <label class="field">
              <span>Camera id</span>
              <input
                value={camera}
                disabled={busy}
                aria-invalid={!valid}
                aria-describedby="camera-rule"
                autocomplete="off"
                autocapitalize="none"
                spellcheck={false}
                maxLength={64}
                data-testid="camera-id"
                onInput={(event) => setCamera(event.currentTarget.value.trim())}
              />
            </label>
            <label class="field">
              <span>Name, if you like</span>
              <input value={name} disabled={busy} autocomplete="off" maxLength={100} placeholder="Front door" data-testid="camera-name" onInput={(event) => setName(event.currentTarget.value)} />
            </label>
          </div>
          <p class="hint" id="camera-rule" data-bad={!valid}>
            {CAMERA_ID_RULE}
          </p>
          <button class="button" data-kind={busy ? "plain" : "main"} type="submit" disabled={!busy && !valid} data-testid={busy ? "stop" : "start"}>
            {busy ? "Stop" : state.phase === "replaced" ? "Take the camera back" : state.phase === "idle" ? "Start" : "Start again"}
          </button>
        </form>

        <Figures station={station} />
      </div>
    </main>
  );
}

/** The element belongs to the station, which feeds it; the page only gives it a place. */
function Preview({ element }: { element: HTMLVideoElement }): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    place.current?.append(element);
    return () => element.remove();
  }, [element]);
  return <div class="preview-place" ref={place} />;
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
