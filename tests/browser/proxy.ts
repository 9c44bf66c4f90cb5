// A proxy before the server, of the kinds that stand before servers: it knows no WebSocket, and may pass an answer on
// only once it has all of it.

import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";

/** Runs `body` with the address of a proxy for `server`; `collects` names what it waits for the end of. */
export async function behindProxy(server: URL, collects: (path: string) => boolean, body: (address: URL) => Promise<void>): Promise<void> {
  const pass = (asked: IncomingMessage, answer: ServerResponse): void => {
    const path = asked.url ?? "/";
    const onward = request({ host: server.hostname, port: server.port, path, method: asked.method, headers: asked.headers }, (response) => {
      if (collects(path)) {
        // The end never comes.
        response.resume();
        return;
      }
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    asked.pipe(onward);
  };
  const proxy = createServer(pass);
  proxy.on("upgrade", (_, socket) => socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const address = proxy.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  try {
    await body(new URL(`http://127.0.0.1:${address.port}/`));
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
}
