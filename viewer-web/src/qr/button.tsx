// Opens the QR code for a phone.

import type { JSX } from "preact";
import { findCapturePage } from "../capture-page.ts";
import { openDialog } from "../dialog/open.tsx";
import { Tool } from "../ui/tool.tsx";

const load = async () => (await import("./qr-dialog.tsx")).default;

/** `taken`: the ids of the cameras there are. */
export function QrButton({ taken }: { taken: () => readonly string[] }): JSX.Element {
  const open = (): void => {
    findCapturePage().then((capturePage) => openDialog(load, { capturePage, taken: taken() }), () => undefined);
  };
  return <Tool label="Use a phone as a camera" sign="phone" testId="qr-open" onClick={open} />;
}
