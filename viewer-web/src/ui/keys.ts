// The page's keys. Which key means what is decided here, what it does elsewhere.

import type { Layout } from "../mosaic/layout.ts";

export type Step = "left" | "right" | "up" | "down";

export type KeyDeed =
  | { do: "step" | "move"; step: Step }
  | { do: "layout"; layout: Layout }
  | { do: "back" | "fullscreen" | "float" | "sound" | "snapshot" | "filter" | "help" };

const STEPS: Record<string, Step> = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };
const LAYOUT_KEYS: Record<string, Layout> = { 0: "auto", 1: "1", 2: "4", 3: "9", 4: "16" };

/** What a key asks for; `undefined` where it is none of the page's. */
export function deedOf(event: Pick<KeyboardEvent, "key" | "altKey" | "ctrlKey" | "metaKey" | "shiftKey">): KeyDeed | undefined {
  if (event.altKey || event.ctrlKey || event.metaKey) return undefined;
  const step = STEPS[event.key];
  if (step !== undefined) return { do: event.shiftKey ? "move" : "step", step };
  // `?` and `/` are typed with Shift on some keyboards.
  if (event.key === "?") return { do: "help" };
  if (event.key === "/") return { do: "filter" };
  if (event.shiftKey) return undefined;
  const layout = LAYOUT_KEYS[event.key];
  if (layout !== undefined) return { do: "layout", layout };
  switch (event.key) {
    case "Escape":
      return { do: "back" };
    case "f":
      return { do: "fullscreen" };
    case "m":
      return { do: "sound" };
    case "p":
      return { do: "float" };
    case "s":
      return { do: "snapshot" };
    default:
      return undefined;
  }
}

/** The index that a step leads to, in a grid of so many columns; the same where there is nothing that way. */
export function stepped(index: number, step: Step, count: number, columns: number): number {
  const to = index + { left: -1, right: 1, up: -columns, down: columns }[step];
  return to >= 0 && to < count ? to : index;
}

/** Whether keys belong to what has the focus, a text field or a choice, or to a dialog, which may have lost it. */
export function isBusy(target: EventTarget | null): boolean {
  if (document.querySelector("dialog:modal") !== null) return true;
  return target instanceof Element && target.closest("input, textarea, select, dialog, [contenteditable]") !== null;
}
