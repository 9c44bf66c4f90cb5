// No cameras yet: how to add one.

import type { JSX } from "preact";
import { useState } from "preact/hooks";

export function Empty({ capturePage, onSetUp }: { capturePage: URL; onSetUp: () => void }): JSX.Element {
  const phone = new URL("?camera=door", capturePage);
  const push = `ffmpeg -re -f lavfi -i testsrc=size=640x480:rate=30 -f mpjpeg ${new URL("publish/test", capturePage).href}`;
  return (
    <section class="empty" data-testid="empty">
      <h2>No cameras yet</h2>
      <p>They appear here by themselves as soon as they send. Three ways to add one:</p>
      <ol>
        <li>
          <h3>This computer, or a phone</h3>
          <p>Open the capture page there and press Start.</p>
          <a class="button" data-kind="main" href={phone.href} target="_blank" rel="noreferrer" data-testid="capture-link">
            Open the capture page
          </a>
          <p class="address">
            <code>{phone.href}</code>
          </p>
        </li>
        <li>
          <h3>An IP camera</h3>
          <p>One that speaks RTSP or MJPEG; framecast connects to it while somebody watches.</p>
          <button class="button" type="button" data-testid="setup-link" onClick={onSetUp}>
            Set an IP camera up
          </button>
        </li>
        <li>
          <h3>Anything that ffmpeg reads</h3>
          <p>This sends a test picture; put a file or a device in its place.</p>
          <Command text={push} />
        </li>
      </ol>
    </section>
  );
}

function Command({ text }: { text: string }): JSX.Element {
  const [copied, setCopied] = useState(false);
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(() => setCopied(true), () => undefined);
  };
  return (
    <div class="command">
      <pre tabIndex={0}>
        <code data-testid="ffmpeg">{text}</code>
      </pre>
      {/* Browsers lend the clipboard to secure pages only; the text can be selected anyway. */}
      {globalThis.isSecureContext && (
        <button class="button" type="button" onClick={copy}>
          <span aria-live="polite">{copied ? "Copied" : "Copy"}</span>
        </button>
      )}
    </div>
  );
}
