// Opens the replay of one camera.

import type { JSX } from "preact";
import { openDialog } from "../dialog/open.tsx";
import { Tool } from "../ui/tool.tsx";

const load = async () => (await import("./replay-dialog.tsx")).default;

export function ReplayButton({ camera, title }: { camera: string; title: string }): JSX.Element {
  return <Tool label="Replay the last seconds" sign="replay" testId="replay-open" onClick={() => openDialog(load, { camera, title })} />;
}
