// What the set-up page knows: the cameras, how their connections are, and whether this page may change them. Asked
// for again every two seconds while the page is looked at.

import { Observable } from "@framecast/shared/observable";
import { Releases } from "@framecast/shared/releases";
import { ApiFailure, listCameras, mayManage, streamStatus, type SetUpCamera, type StreamStatus } from "./api.ts";

const EVERY_MS = 2_000;

export interface SetUpState {
  /** `undefined` until the server has answered. */
  cameras: readonly SetUpCamera[] | undefined;
  statuses: ReadonlyMap<string, StreamStatus>;
  /** `undefined` until known. */
  manage: boolean | undefined;
  /** Why the newest question was not answered. */
  trouble: string | undefined;
}

export class SetUpCameras {
  readonly state = new Observable<SetUpState>({ cameras: undefined, statuses: new Map(), manage: undefined, trouble: undefined });
  readonly #releases = new Releases();
  #asking: Promise<void> | undefined;

  start(): void {
    this.#releases.every(EVERY_MS, () => {
      if (document.visibilityState === "visible") this.refresh().catch(() => undefined);
    });
    this.refresh().catch(() => undefined);
  }

  stop(): void {
    this.#releases.close();
  }

  /** Asks now, or waits for the answer that is on its way. */
  refresh(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(): Promise<void> {
    const before = this.state.value;
    try {
      const [cameras, manage] = await Promise.all([listCameras(), before.manage === undefined ? mayManage() : before.manage]);
      const pulled = cameras.filter(({ source }) => source !== undefined && source.kind !== "push");
      const answers = await Promise.all(pulled.map(async ({ id }) => [id, await streamStatus(id).catch(() => undefined)] as const));
      const statuses = new Map(answers.flatMap(([id, status]) => (status === undefined ? [] : [[id, status] as const])));
      this.state.set({ cameras, statuses, manage, trouble: undefined });
    } catch (error) {
      this.state.set({ ...before, trouble: error instanceof ApiFailure ? error.message : "The server's answer cannot be read." });
    }
  }
}
