// The toolbar in the page's header: what can be done with all cameras at once. A further tool is one more line here.

import type { JSX } from "preact";
import { LAYOUTS, type Layout } from "../mosaic/layout.ts";
import { PanelButton } from "../panel/button.tsx";
import { QrButton } from "../qr/button.tsx";
import type { Wall } from "../wall.ts";
import { Tool } from "./tool.tsx";

interface HeadToolsProps {
  wall: Wall;
  layout: Layout;
  filter: string;
  /** Nothing to lay out or to filter. */
  empty: boolean;
  /** Cameras are being set up. */
  setup: boolean;
  onLayout: (layout: Layout) => void;
  onFilter: (filter: string) => void;
  onSetUp: () => void;
  onHelp: () => void;
}

const LABELS: Record<Layout, string> = { auto: "As many as fit (0)", 1: "One at a time (1)", 4: "Four at a time (2)", 9: "Nine at a time (3)", 16: "Sixteen at a time (4)" };

export function HeadTools({ wall, layout, filter, empty, setup, onLayout, onFilter, onSetUp, onHelp }: HeadToolsProps): JSX.Element {
  return (
    <div class="head-tools" role="toolbar" aria-label="Tools for all cameras" data-few={empty} data-testid="head-tools">
      {!empty && (
        <>
          <input
            class="filter"
            type="search"
            placeholder="Filter"
            aria-label="Filter cameras by name"
            value={filter}
            data-testid="filter"
            onInput={({ currentTarget }) => onFilter(currentTarget.value)}
          />
          <div class="layouts" role="radiogroup" aria-label="Cameras at a time" data-testid="layouts">
            {LAYOUTS.map((choice) => (
              <label key={choice} class="layout figure" title={LABELS[choice]}>
                <input class="unseen" type="radio" name="layout" value={choice} checked={choice === layout} aria-label={LABELS[choice]} onChange={() => onLayout(choice)} />
                {choice === "auto" ? "Auto" : choice}
              </label>
            ))}
          </div>
        </>
      )}
      <Tool label="Set cameras up" sign="cameras" pressed={setup} testId="setup-open" onClick={onSetUp} />
      <PanelButton wall={wall} />
      <QrButton taken={() => wall.cameras.value.map(({ id }) => id)} />
      <Tool label="Keys (?)" sign="help" testId="help" onClick={onHelp} />
    </div>
  );
}
