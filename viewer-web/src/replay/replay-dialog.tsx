// The last seconds of a camera: picture, slider, and the few things to do with them.

import "./replay.css";
import { useObservable } from "@framecast/shared/observable";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Modal } from "../dialog/modal.tsx";
import { Replay, type ReplayState } from "./replay.ts";
import { restSource } from "./rest-source.ts";
import { Screen } from "./screen.ts";
import { beforeEnd, fileName, spoken, timeOfDay } from "./words.ts";

export interface ReplayProps {
  camera: string;
  /** The camera's name for people. */
  title: string;
  onClose: () => void;
}

export default function ReplayDialog({ camera, title, onClose }: ReplayProps): JSX.Element {
  const screen = useMemo(() => new Screen(), []);
  const replay = useMemo(() => new Replay(restSource(camera), (picture) => screen.show(picture)), []);
  const state = useObservable(replay.state);
  useEffect(() => {
    // It reports what goes wrong by its state.
    replay.start().catch(() => undefined);
    return () => replay.close();
  }, [replay]);
  const save = (): void => {
    const picture = replay.picture();
    if (state.phase === "ready" && picture !== undefined) download(picture, fileName(camera, takenUs(state)));
  };
  return (
    <Modal title={`Instant replay: ${title}`} testId="replay" large closing="Back to live" onClose={onClose} onKey={(event) => onKey(event, replay, save)}>
      <div class="replay-picture" data-testid="replay-state" data-phase={state.phase} data-playing={state.phase === "ready" && state.playing} data-index={state.phase === "ready" ? state.index : ""}>
        <canvas ref={(canvas) => screen.attach(canvas)} role="img" aria-label={state.phase === "ready" ? `${title}, ${timeOfDay(takenUs(state))}` : title} />
        {state.phase === "failed" && <p role="alert">{state.reason}</p>}
        {state.phase === "loading" && <p>Asking for the last seconds…</p>}
        {state.phase === "ready" && state.waiting && <p>Loading…</p>}
      </div>
      <Controls state={state} replay={replay} onSave={save} />
    </Modal>
  );
}

interface ControlsProps {
  state: ReplayState;
  replay: Replay;
  onSave: () => void;
}

function Controls({ state, replay, onSave }: ControlsProps): JSX.Element {
  const ready = state.phase === "ready" ? state : undefined;
  const last = (ready?.count ?? 1) - 1;
  const play = useRef<HTMLButtonElement>(null);
  const isReady = ready !== undefined;
  // Space then plays, and not what had the focus before: the button that closes.
  useEffect(() => {
    if (isReady) play.current?.focus();
  }, [isReady]);
  return (
    <>
      <input
        class="replay-slider"
        type="range"
        aria-label="Moment"
        aria-valuetext={ready === undefined ? "" : spoken(ready.beforeEndMs, takenUs(ready))}
        data-testid="replay-slider"
        disabled={ready === undefined || last === 0}
        min={0}
        max={Math.max(1, last)}
        value={ready?.index ?? 0}
        onInput={(event) => replay.seek(event.currentTarget.valueAsNumber)}
      />
      <p class="replay-figures figure">
        <span data-testid="replay-before">{ready === undefined ? "–" : beforeEnd(ready.beforeEndMs)}</span>
        <span data-testid="replay-time">{ready === undefined ? "–" : timeOfDay(takenUs(ready))}</span>
        <span>{ready === undefined ? "–" : `${ready.index + 1} of ${ready.count}`}</span>
        <span>{ready === undefined || ready.moment.width === 0 ? "–" : `${ready.moment.width}×${ready.moment.height}`}</span>
      </p>
      <div class="replay-buttons">
        <button class="button" type="button" title="One frame back (←)" disabled={ready === undefined || ready.index === 0} onClick={() => replay.step(-1)}>
          <span aria-hidden="true">◀</span> Frame
        </button>
        <button ref={play} class="button replay-play" type="button" data-kind="main" data-testid="replay-play" title="Space" disabled={ready === undefined || last === 0} onClick={() => replay.toggle()}>
          {ready?.playing === true ? "Pause" : ready !== undefined && ready.index === last && last > 0 ? "Again" : "Play"}
        </button>
        <button class="button" type="button" title="One frame on (→)" disabled={ready === undefined || ready.index === last} onClick={() => replay.step(1)}>
          Frame <span aria-hidden="true">▶</span>
        </button>
        <button class="button" type="button" title="S" data-testid="replay-save" disabled={ready === undefined || ready.waiting} onClick={onSave}>
          Save picture
        </button>
      </div>
      <p class="replay-note" role="status">
        {ready?.cutOff === true ? "The server cannot be reached; these are the pictures that are here." : ready !== undefined && ready.gone * 5 > ready.count ? "The oldest pictures left the server's cache before they could be fetched." : ""}
      </p>
    </>
  );
}

function takenUs({ moment }: Extract<ReplayState, { phase: "ready" }>): number {
  return moment.capturedUs || moment.receivedUs;
}

function onKey(event: KeyboardEvent, replay: Replay, save: () => void): void {
  const { target } = event;
  // A button does by itself what space means on it, and a slider what its arrows mean.
  if (target instanceof HTMLButtonElement && event.key === " ") return;
  const keys: Record<string, () => void> = {
    " ": () => replay.toggle(),
    ArrowLeft: () => replay.step(-1),
    ArrowRight: () => replay.step(1),
    Home: () => replay.seek(0),
    End: () => replay.seek(Number.MAX_SAFE_INTEGER),
    s: save,
    S: save,
  };
  const act = keys[event.key];
  if (act === undefined) return;
  event.preventDefault();
  act();
}

function download(picture: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(picture);
  link.download = name;
  link.click();
  // The browser has taken hold of it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
