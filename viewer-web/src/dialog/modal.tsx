// A dialog over the page: takes the focus, gives it back, ends with Escape or a click beside it. What is in it
// belongs to its owner.

import "./modal.css";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

interface ModalProps {
  title: string;
  testId: string;
  /** As large as the window allows, for pictures. */
  large?: boolean;
  /** What the closing button says. */
  closing?: string;
  onClose: () => void;
  onKey?: (event: KeyboardEvent) => void;
  children: ComponentChildren;
}

export function Modal({ title, testId, large = false, closing = "Close", onClose, onKey, children }: ModalProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => dialog.current?.showModal(), []);
  const close = (): void => dialog.current?.close();
  const keyDown = (event: KeyboardEvent): void => {
    // The page behind has keys of its own, which are not meant.
    event.stopPropagation();
    if (!event.altKey && !event.ctrlKey && !event.metaKey) onKey?.(event);
  };
  return (
    <dialog
      ref={dialog}
      class="modal"
      data-large={large}
      data-testid={testId}
      aria-labelledby={heading}
      onClose={onClose}
      onKeyDown={keyDown}
      onClick={(event) => {
        if (event.target === dialog.current) close();
      }}
    >
      <div class="modal-body">
        <header class="modal-head">
          <h2 id={heading}>{title}</h2>
          <button class="button" type="button" data-testid={`${testId}-close`} onClick={close}>
            {closing}
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
