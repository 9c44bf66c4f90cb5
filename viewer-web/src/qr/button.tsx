// Opens the QR code for a phone.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { onDemand } from "../dialog/on-demand.tsx";
import type { QrProps } from "./qr-dialog.tsx";

const Dialog = onDemand<QrProps>(async () => (await import("./qr-dialog.tsx")).default);

/** `className`: the look of the place where it stands. */
export function QrButton({ capturePage, taken, className }: Omit<QrProps, "onClose"> & { className: string }): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button class={className} type="button" data-testid="qr-open" onClick={() => setOpen(true)}>
        Use a phone
      </button>
      {open && <Dialog capturePage={capturePage} taken={taken} onClose={() => setOpen(false)} />}
    </>
  );
}
