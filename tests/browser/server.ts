// Starts and ends the real server. FRAMECAST_BIN names another binary than target/debug/framecast.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

export const BINARY = process.env["FRAMECAST_BIN"] ?? fileURLToPath(new URL("../../target/debug/framecast", import.meta.url));
const START_MS = 15_000;

export class Server {
  readonly ingest: URL;
  readonly view: URL;
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess, ingest: URL, view: URL) {
    this.#process = child;
    this.ingest = ingest;
    this.view = view;
  }

  /** Starts on free ports, or on the given ones, and waits until both are announced. `demo` has two cameras of its own. */
  static async start(ports: { ingest: number; view: number } = { ingest: 0, view: 0 }, flags: string[] = [], command: "serve" | "demo" = "serve"): Promise<Server> {
    const child = spawn(BINARY, [command, "--ingest-addr", `127.0.0.1:${ports.ingest}`, "--view-addr", `127.0.0.1:${ports.view}`, ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
      // Or it would keep cameras in the home of whoever runs the tests. The flag --data-dir wins over it.
      env: { ...process.env, FRAMECAST_DATA_DIR: "off" },
    });
    let output = "";
    const announced = new Promise<Server>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the server did not start:\n${output}`)), START_MS);
      const read = (chunk: Buffer): void => {
        output += chunk.toString();
        const ingest = /framecast capture page\s+(\S+)/.exec(output)?.[1];
        const view = /framecast viewer page\s+(\S+)/.exec(output)?.[1];
        if (ingest === undefined || view === undefined) return;
        clearTimeout(timer);
        resolve(new Server(child, new URL(ingest), new URL(view)));
      };
      child.stdout?.on("data", read);
      child.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString()));
      child.once("error", (error) => reject(new Error(`${BINARY} cannot be started; build it, or set FRAMECAST_BIN (${error.message})`)));
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
    });
    try {
      return await announced;
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  /** Ends it without a word, as a crash would. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<void> {
    const forced = setTimeout(() => this.#process.kill("SIGKILL"), 5_000);
    await this.#end("SIGTERM");
    clearTimeout(forced);
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, "exit");
    this.#process.kill(signal);
    await exit;
  }
}

/**
 * A port for a server that must come back on the same one: none that the kernel gives meanwhile to a browser that
 * connects (32768 and above unless set otherwise).
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    const probe = createServer();
    const isFree = await new Promise<boolean>((tell) => {
      probe.once("error", () => { tell(false); });
      probe.listen(port, "127.0.0.1", () => { tell(true); });
    });
    if (!isFree) continue;
    probe.close();
    await once(probe, "close");
    return port;
  }
}
