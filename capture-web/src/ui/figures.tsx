// The figures under the state: what is sent, what the server gets.

import { useObservable } from "@framecast/shared/observable";
import { formatAge, formatRate } from "@framecast/shared/words";
import type { JSX } from "preact";
import type { Station } from "../station.ts";
import { PATH_NAMES } from "./wording.ts";

/** Drawn anew by its parent four times a second. */
export function Figures({ station }: { station: Station }): JSX.Element {
  const state = useObservable(station.state);
  const feedback = useObservable(station.feedback);
  const { stats, picture } = station;
  const live = state.phase === "live";
  const none = "–";
  return (
    <dl class="figures" data-testid="figures">
      <Figure label="Frame rate" value={live ? `${stats.rate.perSecond().toFixed(1)} fps` : none} testId="fps" />
      <Figure label="Data rate" value={live ? formatRate(stats.rate.bytesPerSecond()) : none} testId="rate" />
      <Figure label="Path" value={state.phase === "live" ? PATH_NAMES[state.path] : none} testId="path" />
      <Figure label="Skipped" value={String(stats.skippedFrames)} testId="skipped" />
      <Figure label="Picture" value={picture === undefined || picture.width === 0 ? none : `${picture.width} × ${picture.height}`} testId="size" />
      <Figure label="Age at server" value={feedback?.ageMs === undefined ? none : formatAge(feedback.ageMs)} testId="server-age" />
    </dl>
  );
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
