// The few components that both pages show.

import { useEffect, useState } from "preact/hooks";
import type { JSX } from "preact";

export type Tone = "live" | "wait" | "bad" | "still";

/** The name with its mark: a frame's corners around a lens. */
export function Wordmark(): JSX.Element {
  return (
    <span class="wordmark">
      <svg viewBox="0 0 20 20" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round">
        <path d="M2 7V2h5M13 2h5v5M18 13v5h-5M7 18H2v-5" />
        <circle cx="10" cy="10" r="2.6" fill="currentColor" stroke="none" />
      </svg>
      framecast
    </span>
  );
}

/** Decoration only: the words beside it say the same. */
export function Dot({ tone }: { tone: Tone }): JSX.Element {
  return <span class="dot" data-tone={tone} aria-hidden="true" />;
}

/** Renders anew at this interval: for numbers that change on their own. */
export function useTick(milliseconds: number): void {
  const [, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTick((tick) => tick + 1), milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds]);
}
