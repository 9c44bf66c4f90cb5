// A web server of another site: pages that are not the product's own.

import { once } from "node:events";
import { createServer } from "node:http";

/** Chromium finds any name below this on this machine. */
export const FOREIGN_FLAG = "--host-resolver-rules=MAP *.example 127.0.0.1";

export interface Site {
  /** `http://wall.example:PORT` */
  origin: string;
  stop: () => Promise<void>;
}

/** Serves these pages, by path, as `wall.example`. */
export async function startSite(pages: Record<string, string>): Promise<Site> {
  const server = createServer((request, response) => {
    const page = pages[new URL(request.url ?? "/", "http://x").pathname];
    response.writeHead(page === undefined ? 404 : 200, { "content-type": "text/html; charset=utf-8" });
    response.end(page ?? "");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    origin: `http://wall.example:${address.port}`,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
