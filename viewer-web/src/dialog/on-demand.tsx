// Components whose code is fetched when a person asks for them, so that the first view stays small.

import type { ComponentType, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Modal } from "./modal.tsx";

/** `load` is asked once it is shown; until it is there nothing shows. It is told when what is shown is to end. */
export function onDemand<P extends { onClose: () => void }>(load: () => Promise<ComponentType<P>>): (props: P) => JSX.Element | null {
  let loaded: ComponentType<P> | undefined;
  return function OnDemand(props: P): JSX.Element | null {
    const [Loaded, setLoaded] = useState<ComponentType<P> | "failed" | undefined>(() => loaded);
    useEffect(() => {
      let current = true;
      load().then(
        (component) => {
          loaded = component;
          if (current) setLoaded(() => component);
        },
        () => current && setLoaded("failed"),
      );
      return () => {
        current = false;
      };
    }, []);
    if (Loaded === undefined) return null;
    if (Loaded !== "failed") return <Loaded {...props} />;
    return (
      <Modal title="This part of the page could not be loaded" testId="load-failed" onClose={props.onClose}>
        <p>The server is away, or has been updated since this page was opened. Load the page anew.</p>
      </Modal>
    );
  };
}
