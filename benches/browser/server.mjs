// Starts and ends the server that is measured. FRAMECAST_BIN names another binary than
// target/release/framecast.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const BINARY = process.env["FRAMECAST_BIN"] ?? fileURLToPath(new URL("../../target/release/framecast", import.meta.url));
const START_MS = 15_000;
const STOP_MS = 5_000;

/**
 * Starts a server on free ports and waits until both are announced.
 *
 * @returns {Promise<{ ingest: URL, view: URL, stop: () => Promise<void> }>}
 */
export async function startServer() {
  const child = spawn(BINARY, ["serve", "--ingest-addr", "127.0.0.1:0", "--view-addr", "127.0.0.1:0"], {
    stdio: ["ignore", "pipe", "pipe"],
    // In the environment, as an older binary would refuse the flag.
    env: { ...process.env, FRAMECAST_DATA_DIR: "off" },
  });
  // Also where this program is interrupted.
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    const forced = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    child.kill("SIGTERM");
    await exit;
    clearTimeout(forced);
  };
  let output = "";
  /** @type {Promise<{ ingest: URL, view: URL }>} */
  const announced = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the server did not start:\n${output}`)), START_MS);
    const read = (/** @type {Buffer} */ chunk) => {
      output += chunk.toString();
      const ingest = /framecast capture page\s+(\S+)/.exec(output)?.[1];
      const view = /framecast viewer page\s+(\S+)/.exec(output)?.[1];
      if (ingest === undefined || view === undefined) return;
      clearTimeout(timer);
      // What follows is only the log; nobody reads it, but a full pipe would stop the server.
      child.stdout.off("data", read).resume();
      child.stderr.removeAllListeners("data").resume();
      resolve({ ingest: new URL(ingest), view: new URL(view) });
    };
    child.stdout.on("data", read);
    child.stderr.on("data", (/** @type {Buffer} */ chunk) => (output += chunk.toString()));
    child.once("error", (error) => reject(new Error(`${BINARY} cannot be started; build it, or set FRAMECAST_BIN (${error.message})`)));
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
  });
  try {
    return { ...(await announced), stop };
  } catch (error) {
    kill();
    throw error;
  }
}
