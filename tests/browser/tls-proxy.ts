// A port that speaks TLS, with a certificate that it has signed by itself, in front of one that does not.

import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, type AddressInfo, type Socket } from "node:net";
import { createServer, type Server } from "node:tls";

export class TlsProxy {
  readonly port: number;
  /** SHA-256 of the certificate, as `AB:CD:…`. */
  readonly fingerprint: string;
  readonly #server: Server;
  readonly #open: Set<Socket>;

  private constructor(server: Server, open: Set<Socket>, fingerprint: string) {
    this.#server = server;
    this.#open = open;
    this.port = (server.address() as AddressInfo).port;
    this.fingerprint = fingerprint;
  }

  /** In front of this port of 127.0.0.1. */
  static async start(port: number): Promise<TlsProxy> {
    // Key and certificate, one after the other.
    const words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout - -out - -days 2 -subj /CN=camera";
    const pem = execFileSync("openssl", words.split(" "), { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const open = new Set<Socket>();
    const server = createServer({ key: pem, cert: pem }, (outer) => {
      const inner = connect(port, "127.0.0.1");
      for (const [one, other] of [[outer, inner], [inner, outer]] as const) {
        open.add(one);
        one.on("error", () => other.destroy());
        one.on("close", () => {
          open.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TlsProxy(server, open, new X509Certificate(pem).fingerprint256);
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
