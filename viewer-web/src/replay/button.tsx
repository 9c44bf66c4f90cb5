// Opens the replay of one camera.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { onDemand } from "../dialog/on-demand.tsx";
import type { ReplayProps } from "./replay-dialog.tsx";

const Dialog = onDemand<ReplayProps>(async () => (await import("./replay-dialog.tsx")).default);

/** `className`: the look of the place where it stands. */
export function ReplayButton({ camera, title, className }: { camera: string; title: string; className: string }): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button class={className} type="button" data-testid="replay-open" aria-label={`${title}: replay the last seconds`} title="Replay the last seconds" onClick={() => setOpen(true)}>
        <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round">
          <path d="M3.5 10a6.5 6.5 0 1 0 2-4.7M5.8 2v3.5h3.5M10 6.8V10l2.2 1.6" />
        </svg>
      </button>
      {open && <Dialog camera={camera} title={title} onClose={() => setOpen(false)} />}
    </>
  );
}
