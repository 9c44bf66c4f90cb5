// The toolbar in the page's header: what can be done with all cameras at once. A further tool is one more line here.

import type { JSX } from "preact";
import { PanelButton } from "../panel/button.tsx";
import { QrButton } from "../qr/button.tsx";
import type { Wall } from "../wall.ts";

export function HeadTools({ wall }: { wall: Wall }): JSX.Element {
  return (
    <div class="head-tools" role="toolbar" aria-label="Tools for all cameras" data-testid="head-tools">
      <PanelButton wall={wall} />
      <QrButton taken={() => wall.cameras.value.map(({ id }) => id)} />
    </div>
  );
}
