// Opens dialogs whose code is fetched when a person asks for them, so that the first view stays small.

import { render, type ComponentType, type JSX } from "preact";
import { Modal } from "./modal.tsx";

interface Closing {
  onClose: () => void;
}

let opening = false;

/**
 * Shows a dialog in a place of its own in the page: what opened it may be redrawn, hidden or gone meanwhile. Says
 * so where its code cannot be fetched. Asked twice before it is there, it opens once.
 */
export function openDialog<P extends object>(load: () => Promise<ComponentType<P & Closing>>, props: P): void {
  if (opening) return;
  opening = true;
  load()
    .then((Dialog) => put((close) => <Dialog {...props} onClose={close} />), () => put((close) => <NotLoaded onClose={close} />))
    .finally(() => (opening = false))
    .catch(() => undefined);
}

function put(draw: (close: () => void) => JSX.Element): void {
  const place = document.createElement("div");
  document.body.append(place);
  render(draw(() => {
    render(null, place);
    place.remove();
  }), place);
}

function NotLoaded({ onClose }: Closing): JSX.Element {
  return (
    <Modal title="This part of the page could not be loaded" testId="load-failed" onClose={onClose}>
      <p>The server is away, or has been updated since this page was opened. Load the page anew.</p>
    </Modal>
  );
}
