// A small button with a sign on it, as toolbars have them. Signs are strokes on a field of 20 by 20.

import type { ComponentChildren, JSX } from "preact";

const SIGNS = {
  snapshot: "M3 6.5h3l1.4-2h5.2l1.4 2h3v9.5H3zM10 8.2a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 0 0 0-5.4",
  pip: "M3 4h14v12H3zM10 10h5v4h-5z",
  fullscreen: "M3 7.5V3h4.5M12.5 3H17v4.5M17 12.5V17h-4.5M7.5 17H3v-4.5",
  sound: "M3 7.8h3l4-3.3v11l-4-3.3H3zM12.8 7.4a3.6 3.6 0 0 1 0 5.2M15 5.2a6.7 6.7 0 0 1 0 9.6",
  muted: "M3 7.8h3l4-3.3v11l-4-3.3H3zM13 8l4 4M17 8l-4 4",
  move: "M10 2.5v15M2.5 10h15M7.7 4.8 10 2.5l2.3 2.3M7.7 15.2l2.3 2.3 2.3-2.3M4.8 7.7 2.5 10l2.3 2.3M15.2 7.7l2.3 2.3-2.3 2.3",
  replay: "M3.5 10a6.5 6.5 0 1 0 2-4.7M5.8 2v3.5h3.5M10 6.8V10l2.2 1.6",
  phone: "M6 2.5h8v15H6zM9 15h2M13 5.5v.1",
  chart: "M3 3v14h14M6 13l3-4 3 2 4-6",
  cameras: "M2.5 5.5h9v9h-9zM11.5 9l6-3v8l-6-3",
  help: "M7.2 7.4a2.8 2.8 0 1 1 4.2 2.5c-.9.5-1.4 1-1.4 2.1M10 15.2v.1",
} as const;

export type Sign = keyof typeof SIGNS;

export interface ToolProps {
  /** Read aloud, and shown when the pointer rests on it. */
  label: string;
  /** One of the signs here, or children to draw another. */
  sign?: Sign;
  children?: ComponentChildren;
  pressed?: boolean;
  disabled?: boolean;
  testId?: string;
  onClick?: () => void;
}

export function Tool({ label, sign, children, pressed, disabled, testId, onClick }: ToolProps): JSX.Element {
  return (
    <button class="tool" type="button" title={label} aria-label={label} aria-pressed={pressed} disabled={disabled} data-testid={testId} onClick={onClick}>
      {sign === undefined ? children : <SignOf sign={sign} />}
    </button>
  );
}

export function SignOf({ sign }: { sign: Sign }): JSX.Element {
  return (
    <svg viewBox="0 0 20 20" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">
      <path d={SIGNS[sign]} />
    </svg>
  );
}
