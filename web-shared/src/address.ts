// Where the server is. Pages served by the server use their own origin; pages hosted elsewhere were built
// with a base URL.

/** Resolves `path` against `base`, or the page's own origin where `base` is empty. */
export function httpUrl(path: string, base: string | undefined, page: string): URL {
  return new URL(path, base === undefined || base === "" ? new URL("/", page) : withSlash(base));
}

/** As `httpUrl`, with the WebSocket scheme that fits. */
export function webSocketUrl(path: string, base: string | undefined, page: string): URL {
  const url = httpUrl(path, base, page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

/** A base may name a folder (`https://example.org/framecast`); without the slash it would be cut off. */
function withSlash(base: string): string {
  return base.endsWith("/") ? base : `${base}/`;
}
