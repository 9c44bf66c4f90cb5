// A network between browser and server that can be made narrow or be cut: a TCP proxy on a port of its own.
// UDP does not pass, so pages use their WebSocket through it.

import { once } from "node:events";
import { connect, createServer, type Server as TcpServer, type Socket } from "node:net";

/** How often a narrow link carries its share. */
const BEAT_MS = 20;
/** What may wait before the link: less than what programs buffer on their own would hide the narrowness. */
const QUEUE_BYTES = 16_384;

export class NarrowLink {
  /** Towards the server, for all connections together; Infinity carries all. */
  bytesPerSecond = Infinity;
  readonly #proxy: TcpServer;
  readonly #sockets = new Set<Socket>();
  readonly #waiting: { chunk: Buffer; to: Socket; from: Socket }[] = [];
  #waitingBytes = 0;
  #allowance = 0;
  readonly #timer: NodeJS.Timeout;

  private constructor(proxy: TcpServer, target: URL) {
    this.#proxy = proxy;
    proxy.on("connection", (client) => this.#join(client, connect(Number(target.port), target.hostname)));
    this.#timer = setInterval(() => this.#carry(), BEAT_MS);
  }

  static async to(target: URL): Promise<NarrowLink> {
    const proxy = createServer();
    const link = new NarrowLink(proxy, target);
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    return link;
  }

  /** Where the server is for who comes over this link. */
  get url(): URL {
    const address = this.#proxy.address();
    if (address === null || typeof address === "string") throw new Error("the link has no port");
    return new URL(`http://127.0.0.1:${address.port}/`);
  }

  /** Ends every connection as a network that goes away; new ones are carried. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.cut();
    this.#proxy.close();
    await once(this.#proxy, "close");
  }

  #join(client: Socket, server: Socket): void {
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    server.on("data", (chunk) => client.write(chunk));
    client.on("data", (chunk) => {
      if (this.bytesPerSecond === Infinity && this.#waiting.length === 0) {
        server.write(chunk);
        return;
      }
      this.#waiting.push({ chunk, to: server, from: client });
      this.#waitingBytes += chunk.length;
      if (this.#waitingBytes > QUEUE_BYTES) client.pause();
    });
  }

  #carry(): void {
    const share = (this.bytesPerSecond * BEAT_MS) / 1000;
    this.#allowance = Math.min(share * 2, this.#allowance + share);
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined || this.#allowance <= 0) break;
      const part = next.chunk.subarray(0, Math.ceil(Math.min(next.chunk.length, this.#allowance)));
      next.to.write(part);
      this.#allowance -= part.length;
      this.#waitingBytes -= part.length;
      next.chunk = next.chunk.subarray(part.length);
      if (next.chunk.length === 0) this.#waiting.shift();
      if (this.#waitingBytes <= QUEUE_BYTES) next.from.resume();
    }
  }
}
