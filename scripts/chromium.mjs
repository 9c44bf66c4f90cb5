// Which Chromium the browser tests and the latency measurement drive, and how it is started.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

export const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Every page is to be drawn as if a person looked at it.
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
];

/** `CHROMIUM_BIN`, else the first Chromium or Chrome on the path. */
export function findChromium() {
  const named = process.env["CHROMIUM_BIN"];
  if (named) return named;
  for (const dir of (process.env["PATH"] ?? "").split(delimiter)) {
    for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
      try {
        accessSync(join(dir, name), constants.X_OK);
        return join(dir, name);
      } catch {
        // Not here.
      }
    }
  }
  throw new Error("this needs Chromium: `make test` installs it, or set CHROMIUM_BIN to the path of a Chromium or Chrome");
}
