// Fetches the set-up page when it is asked for, so that the first view stays small.

import type { ComponentType, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Wall } from "../wall.ts";

interface SetUpProps {
  wall: Wall;
  capturePage: URL | undefined;
}

export function SetUp(props: SetUpProps): JSX.Element | null {
  const [page, setPage] = useState<{ Page: ComponentType<SetUpProps> } | "failed">();
  useEffect(() => {
    let current = true;
    import("../setup/setup.tsx").then(
      (found) => current && setPage({ Page: found.default }),
      () => current && setPage("failed"),
    );
    return () => {
      current = false;
    };
  }, []);
  if (page === undefined) return null;
  if (page !== "failed") return <page.Page {...props} />;
  return (
    <section class="notice" data-testid="setup-not-loaded">
      <h2>This part of the page could not be loaded</h2>
      <p>The server is away, or has been updated since this page was opened. Load the page anew.</p>
    </section>
  );
}
