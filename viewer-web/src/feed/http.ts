// What the two ways over plain HTTP have in common: requests that end with their owner, and the list of cameras,
// asked for again and again. docs/protocol.md, "REST".

import { httpUrl } from "@framecast/shared/address";
import { Releases } from "@framecast/shared/releases";
import { parseMessage } from "@framecast/shared/wire/json";
import { readCameras, type CameraInfo, type Ending, type Refusal } from "./feed.ts";
import { readHttpRefusal } from "./refusals.ts";

const LIST_EVERY_MS = 2_000;
/** Before a failed list is asked for again. */
const PAUSE_MS = 500;
/** Failures of the list in a row after which the server counts as gone. */
const MOST_FAILURES = 3;

export interface HttpEvents {
  /** The first answer is here. */
  onUp: () => void;
  onCameras: (cameras: CameraInfo[]) => void;
  onDown: (reason: string, ending: Ending) => void;
}

export class Http {
  readonly releases = new Releases();
  readonly #events: HttpEvents;
  readonly #abort = new AbortController();
  #up = false;
  #failures = 0;

  constructor(events: HttpEvents) {
    this.#events = events;
    this.releases.add(() => this.#abort.abort());
    this.#listAgain();
  }

  /** Ends everything without `onDown`. */
  close(): void {
    this.releases.close();
  }

  /** Ends everything and says why, once. */
  down(reason: string, ending: Ending): void {
    if (this.releases.closed) return;
    this.releases.close();
    this.#events.onDown(reason, ending);
  }

  /** Throws an `HttpError` for an answer that is not one of success. */
  async get(path: string, query: Record<string, string> = {}, also?: AbortSignal): Promise<Response> {
    const url = httpUrl(path, import.meta.env.VITE_VIEW_URL, location.href);
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
    const signal = also === undefined ? this.#abort.signal : AbortSignal.any([this.#abort.signal, also]);
    const response = await fetch(url, { signal, cache: "no-store" });
    if (!response.ok) throw new HttpError(response.status, readHttpRefusal(response.status, await response.text()));
    return response;
  }

  async #list(): Promise<void> {
    const response = await this.get("api/cameras");
    const cameras = readCameras(parseMessage(await response.text())?.["cameras"]);
    if (this.releases.closed) return;
    this.#failures = 0;
    if (!this.#up) {
      this.#up = true;
      this.#events.onUp();
    }
    this.#events.onCameras(cameras);
    this.releases.after(LIST_EVERY_MS, () => this.#listAgain());
  }

  #listAgain(): void {
    this.#list().catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    if (this.releases.closed) return;
    this.#failures += 1;
    if (this.#up && this.#failures < MOST_FAILURES) {
      this.releases.after(PAUSE_MS, () => this.#listAgain());
      return;
    }
    const reason = error instanceof HttpError ? (error.refusal?.reason ?? `The server answered ${error.status}.`) : "The server cannot be reached.";
    this.down(reason, this.#up ? "lost" : "refused");
  }
}

export class HttpError extends Error {
  readonly status: number;
  /** Where the camera that was asked for is not to be had. */
  readonly refusal: Refusal | undefined;

  constructor(status: number, refusal: Refusal | undefined) {
    super(`HTTP ${status}`);
    this.status = status;
    this.refusal = refusal;
  }
}
