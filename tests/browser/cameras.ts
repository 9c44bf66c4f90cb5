// Cameras that cost a test little: `framecast publish`, a process each, as many as are wanted.

import { spawn, type ChildProcess } from "node:child_process";
import { BINARY, type Server } from "./server.ts";

export interface CameraOptions {
  name?: string;
  fps?: number;
  size?: string;
}

export class TestCamera {
  readonly #process: ChildProcess;

  constructor(server: Server, id: string, { name = "", fps = 10, size = "320x240" }: CameraOptions = {}) {
    this.#process = spawn(BINARY, ["publish", id, "--name", name, "--to", `ws://${server.ingest.host}`, "--fps", String(fps), "--size", size], { stdio: "ignore" });
  }

  /** Ends it as a crash would; harmless where it has ended. */
  unplug(): void {
    this.#process.kill("SIGKILL");
  }
}

/** Runs `body` with these cameras, by their ids, and ends them whatever happens. */
export async function withCameras(server: Server, cameras: Record<string, CameraOptions>, body: (cameras: Record<string, TestCamera>) => Promise<void>): Promise<void> {
  const started = Object.fromEntries(Object.entries(cameras).map(([id, options]) => [id, new TestCamera(server, id, options)]));
  try {
    await body(started);
  } finally {
    for (const camera of Object.values(started)) camera.unplug();
  }
}
