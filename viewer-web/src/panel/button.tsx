// Opens and closes the performance panel.

import { Observable, useObservable } from "@framecast/shared/observable";
import type { JSX } from "preact";
import { openDialog } from "../dialog/open.tsx";
import { Tool } from "../ui/tool.tsx";
import type { Wall } from "../wall.ts";

const load = async () => (await import("./panel.tsx")).default;
const shown = new Observable(false);

export function PanelButton({ wall }: { wall: Wall }): JSX.Element {
  const pressed = useObservable(shown);
  const toggle = (): void => {
    shown.set(!pressed);
    if (!pressed) openDialog(load, { figures: () => wall.figures(), shown });
  };
  return <Tool label="Performance" sign="chart" pressed={pressed} testId="panel-open" onClick={toggle} />;
}
