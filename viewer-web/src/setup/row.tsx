// One camera of the set-up page's list.

import { Dot } from "@framecast/shared/components";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiFailure, startStream, stopStream, type SetUpCamera, type StreamStatus } from "./api.ts";
import { describeCamera } from "./words.ts";

interface RowProps {
  camera: SetUpCamera;
  status: StreamStatus | undefined;
  nowMs: number;
  manage: boolean;
  onEdit: () => void;
  onRemove: () => void;
  /** Something was done; the words are for those who listen. */
  onDone: (news: string) => void;
}

export function Row({ camera, status, nowMs, manage, onEdit, onRemove, onDone }: RowProps): JSX.Element {
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);
  const words = describeCamera(camera, status, nowMs);
  const { source } = camera;
  const pulled = source !== undefined && source.kind !== "push";
  const turns = turnsOf(status);
  const title = camera.name || camera.id;
  const turn = (way: Turn): void => {
    if (busy) return;
    setBusy(true);
    (way === "Start" ? startStream(camera.id) : stopStream(camera.id))
      .then(
        () => {
          setFailure("");
          onDone(`${title} was ${way === "Start" ? "started" : "stopped"}.`);
        },
        (error: unknown) => setFailure(error instanceof ApiFailure ? error.message : "It did not work."),
      )
      .finally(() => setBusy(false))
      .catch(() => undefined);
  };
  return (
    <li class="setup-row" data-testid="setup-row" data-camera={camera.id} data-state={words.state}>
      <div class="setup-about">
        <h3>
          {title}
          {title !== camera.id && <span class="setup-id"> {camera.id}</span>}
        </h3>
        <p class="setup-state" data-testid="setup-state">
          <Dot tone={words.tone} />
          <strong>{words.state}</strong>
          {words.detail !== "" && <span class="figure-wrap">{words.detail}</span>}
        </p>
        <p class="setup-facts figure-wrap" data-testid="setup-facts">
          {[...words.facts.map(unbroken), ...(camera.location === "" ? [] : [camera.location])].join(" · ")}
        </p>
        {source !== undefined && source.url !== "" && <p class="setup-address">{source.url}</p>}
        {failure !== "" && (
          <p class="setup-failure" role="alert">
            {failure}
          </p>
        )}
      </div>
      <div class="setup-deeds">
        <a class="button" href={`#camera=${encodeURIComponent(camera.id)}`} aria-label={`Watch ${title}`} data-testid="setup-watch">
          Watch
        </a>
        {source !== undefined && (
          <>
            {pulled &&
              turns.map((way) => (
                <button key={way} class="button" type="button" disabled={!manage} aria-disabled={busy} aria-label={`${way} ${title}`} data-testid={`setup-${way.toLowerCase()}`} onClick={() => turn(way)}>
                  {way}
                </button>
              ))}
            <button class="button" type="button" disabled={!manage} aria-label={`Edit ${title}`} data-testid="setup-edit" onClick={onEdit}>
              Edit
            </button>
          </>
        )}
        {(source !== undefined || !camera.online) && (
          <button class="button" type="button" disabled={!manage} aria-label={`Remove ${title}`} data-testid="setup-remove" onClick={onRemove}>
            Remove
          </button>
        )}
      </div>
    </li>
  );
}

type Turn = "Start" | "Stop";

/** What can be asked of its connection: one that stands by can be opened before somebody watches, or kept closed. */
function turnsOf(status: StreamStatus | undefined): Turn[] {
  switch (status?.state) {
    case undefined:
      return [];
    case "stopped":
      return ["Start"];
    case "standby":
      return ["Start", "Stop"];
    default:
      return ["Stop"];
  }
}

/** Number and unit stay on one line. */
const unbroken = (words: string): string => words.replaceAll(" ", "\u00a0");
