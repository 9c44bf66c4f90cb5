// The place of the picture: the preview, what stands there while there is none, and what to do when there cannot
// be one.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Step } from "./advice.ts";

interface PreviewProps {
  element: HTMLVideoElement;
  /** A camera is open, or about to be. */
  running: boolean;
  shown: boolean;
  advice: readonly Step[] | undefined;
  /** `undefined` where there is only one side. */
  onFlip: (() => void) | undefined;
  onShow: (shown: boolean) => void;
}

export function Preview({ element, running, shown, advice, onFlip, onShow }: PreviewProps): JSX.Element {
  return (
    <section class="preview" aria-label="Preview" data-testid="preview" data-shown={running && shown}>
      <VideoPlace element={element} />
      {advice === undefined ? <p class="preview-empty">{words(running, shown)}</p> : <AdvicePanel advice={advice} />}
      {running && (
        <div class="preview-buttons">
          {onFlip !== undefined && (
            <button type="button" class="over-picture" onClick={onFlip} data-testid="flip">
              Turn camera
            </button>
          )}
          <button type="button" class="over-picture" onClick={() => onShow(!shown)} data-testid="show-preview">
            {shown ? "Hide preview" : "Show preview"}
          </button>
        </div>
      )}
    </section>
  );
}

function words(running: boolean, shown: boolean): string {
  if (!running) return "The preview appears here.";
  return shown ? "" : "The preview is hidden. Pictures are sent all the same.";
}

/** The element belongs to the station, which feeds it; the page only gives it a place. */
function VideoPlace({ element }: { element: HTMLVideoElement }): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    place.current?.append(element);
    return () => element.remove();
  }, [element]);
  return <div class="preview-place" ref={place} />;
}

function AdvicePanel({ advice }: { advice: readonly Step[] }): JSX.Element {
  return (
    <div class="advice" data-testid="advice">
      <h2>What to do</h2>
      <ol>
        {advice.map(({ text, code }) => (
          <li key={text}>
            {text} {code !== undefined && <code>{code}</code>}
          </li>
        ))}
      </ol>
    </div>
  );
}
