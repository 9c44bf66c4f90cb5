// The figures: what is sent, what the server gets, and how far the way to it is open.

import { formatAge, formatRate } from "@framecast/shared/words";
import type { JSX } from "preact";
import type { Station } from "../station.ts";
import { describeQuality, describeSteps, formatFine, PATH_NAMES } from "./wording.ts";

const NONE = "–";

/** Drawn anew by its parent four times a second. */
export function Figures({ station }: { station: Station }): JSX.Element {
  const { stats, picture, publisher, fixed, control, settings } = station;
  const state = station.state.value;
  const feedback = station.feedback.value;
  const live = state.phase === "live";
  const steps = describeSteps(publisher?.steps);
  const roundTripMs = publisher?.clock.roundTripMs;
  const quality = describeQuality({ ...settings, fixed, level: control.level, reason: control.reason, encodeMs: picture?.encodeMs });
  const fps = (rate: number): string => `${rate.toFixed(1)} fps`;
  return (
    <section class="numbers" aria-label="Figures">
      <dl class="figures" data-testid="figures">
        <Figure label="Sent" value={live ? fps(stats.rate.perSecond()) : NONE} testId="fps" />
        <Figure label="Received" value={feedback === undefined ? NONE : fps(feedback.receivedFps)} testId="received-fps" />
        <Figure label="Data rate" value={live ? formatRate(stats.rate.bytesPerSecond()) : NONE} testId="rate" />
        <Figure label="Lost" value={feedback === undefined ? NONE : String(feedback.lost)} testId="lost" />
        <Figure label="Left out" value={live ? String(stats.skippedFrames + stats.busyFrames) : NONE} testId="skipped" />
        <Figure label="Round trip" value={live && roundTripMs !== undefined ? formatFine(roundTripMs) : NONE} testId="round-trip" />
        <Figure label="Age at server" value={feedback?.ageMs === undefined ? NONE : formatAge(feedback.ageMs)} testId="server-age" />
        <Figure label="Picture" value={picture === undefined ? NONE : `${picture.width} × ${picture.height}`} testId="size" />
        <Figure label="Signaling" value={steps.signaling} testId="signaling" />
        <Figure label="ICE" value={steps.ice} testId="ice" />
        <Figure label="Channel" value={steps.channel} testId="channel" />
        <Figure label="Path" value={live ? PATH_NAMES[state.path] : NONE} testId="path" />
      </dl>
      <p class="quality" data-testid="quality" data-level={fixed ? 0 : control.level}>
        <span>Quality</span> <strong>{quality.title}</strong>
        <br />
        <span class="quality-detail">{quality.detail}</span>
      </p>
      <p class="hint" data-testid="endurance">
        {endurance(station)}
      </p>
    </section>
  );
}

/** What happens when nobody looks after the page. */
function endurance({ method, wakeLock, running }: Station): string {
  if (!running || method === undefined) return "";
  const hidden = method === "processor" || method === "worker-processor" ? "Goes on while this tab is in the background." : "This browser slows the camera while this tab is in the background.";
  return wakeLock.held === true ? `${hidden} The screen stays on.` : hidden;
}

function Figure({ label, value, testId }: { label: string; value: string; testId: string }): JSX.Element {
  return (
    <div>
      <dt>{label}</dt>
      <dd class="figure" data-testid={testId}>
        {value}
      </dd>
    </div>
  );
}
