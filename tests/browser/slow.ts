// Something of this machine that takes its time: connections that are passed on only after a while.

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface Slow {
  port: number;
  /** How many came. */
  connections: () => number;
  stop: () => Promise<void>;
}

/** Passes each connection on to `port` of this machine, `afterMs` after it was opened. */
export async function startSlow(port: number, afterMs: number): Promise<Slow> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    return socket;
  };
  const server = createServer((near) => {
    connections += 1;
    keep(near);
    setTimeout(() => {
      if (near.destroyed) return;
      const far = keep(connect(port, "127.0.0.1"));
      near.pipe(far).pipe(near);
      near.on("close", () => far.destroy());
    }, afterMs);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    connections: () => connections,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
