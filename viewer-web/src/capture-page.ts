// Where the capture page is: on the ingest port of the same host, unless the page was built for elsewhere.

import { httpUrl } from "@framecast/shared/address";
import { asNumber, parseMessage } from "@framecast/shared/wire/json";

const DEFAULT_INGEST_PORT = 8080;

/** Asks the server for its ingest port; where it does not say, the usual one is taken. */
export async function findCapturePage(): Promise<URL> {
  const base = import.meta.env.VITE_INGEST_URL;
  if (base !== undefined && base !== "") return httpUrl("", base, location.href);
  return onPort((await askPort()) ?? DEFAULT_INGEST_PORT);
}

/** The best guess before the server has answered. */
export function onPort(port: number): URL {
  const view = httpUrl("", import.meta.env.VITE_VIEW_URL, location.href);
  return new URL(`${view.protocol}//${view.hostname}:${port}/`);
}

async function askPort(): Promise<number | undefined> {
  try {
    const response = await fetch(httpUrl("api/info", import.meta.env.VITE_VIEW_URL, location.href));
    return response.ok ? asNumber(parseMessage(await response.text())?.["ingest_port"]) : undefined;
  } catch {
    return undefined;
  }
}
