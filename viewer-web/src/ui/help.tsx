// The keys of the page, in a dialog.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ["← → ↑ ↓", "From camera to camera"],
  ["Enter", "Show the camera large, and small again"],
  ["Esc", "Back to all cameras"],
  ["f", "Full screen"],
  ["p", "Picture in picture"],
  ["m", "Sound on or off, where a camera has it"],
  ["s", "Save a picture"],
  ["Shift + arrow", "Move the camera to another place"],
  ["0 to 4", "As many as fit, 1, 4, 9 or 16 at a time"],
  ["/", "Filter by name"],
  ["?", "This help"],
];

export function Help({ onClose }: { onClose: () => void }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog class="help" ref={dialog} aria-labelledby="help-title" data-testid="help-dialog" onClose={onClose}>
      <h2 id="help-title">Keys</h2>
      <dl>
        {KEYS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="hint">Letters act on the camera that has the focus, or the large one.</p>
      <button class="button" type="button" data-kind="main" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  );
}
