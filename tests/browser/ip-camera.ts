// A real RTSP camera for browser tests: tests/rtsp/camera.py in a process of its own.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Server } from "./server.ts";

const SCRIPT = fileURLToPath(new URL("../rtsp/camera.py", import.meta.url));
const START_MS = 20_000;

export class IpCamera {
  readonly url: URL;
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess, url: URL) {
    this.#process = child;
    this.url = url;
  }

  /** Starts one with these options of the script, and waits until it takes connections. */
  static async start(...options: string[]): Promise<IpCamera> {
    const child = spawn("/usr/bin/python3", [SCRIPT, ...options], { stdio: ["pipe", "pipe", "pipe"] });
    let output = "";
    try {
      return await new Promise<IpCamera>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`the RTSP camera did not start:\n${output}`)), START_MS);
        const read = (chunk: Buffer): void => {
          output += chunk.toString();
          const url = /^rtsp:\/\/\S+/m.exec(output)?.[0];
          if (url === undefined) return;
          clearTimeout(timer);
          resolve(new IpCamera(child, new URL(url)));
        };
        child.stdout?.on("data", read);
        child.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString()));
        child.once("error", reject);
        child.once("exit", (code) => reject(new Error(`the RTSP camera ended with ${code}:\n${output}`)));
      });
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  /** Ends it as a pulled plug would. */
  async unplug(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exit;
  }
}

/** Sets a camera up over the API. */
export async function setUp(server: Server, id: string, body: Record<string, unknown>): Promise<void> {
  const response = await fetch(new URL("/api/cameras", server.view), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ id, ...body }) });
  if (response.status !== 201) throw new Error(`setting ${id} up: ${response.status} ${await response.text()}`);
}
