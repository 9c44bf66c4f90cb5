// Which cameras the server sends no pictures of, as a feed learns it from errors and pictures. No network.

import { asText, parseMessage, type Message } from "@framecast/shared/wire/json";
import { sentence } from "@framecast/shared/words";
import type { Refusal } from "./feed.ts";

/** Before a refused camera is asked for again: somebody who watches it may have left. */
export const REFUSED_AGAIN_MS = 5_000;

/** Reads an error object, `{"code","message"}`; `undefined` where there is none. */
export function readRefusal(error: unknown): Refusal | undefined {
  const code = typeof error === "object" && error !== null ? asText((error as Message)["code"]) : undefined;
  return code === undefined ? undefined : { code, reason: sentence(asText((error as Message)["message"]) ?? "") };
}

/** Of an answer over HTTP, `{"error":{…}}`: what is in a camera's way, and not in the connection's. */
export function readHttpRefusal(status: number, body: string): Refusal | undefined {
  if (status !== 503 && status !== 415) return undefined;
  return readRefusal(parseMessage(body)?.["error"]) ?? { code: `http_${status}`, reason: `The server answered ${status}.` };
}

/** Tells of each change once. */
export class Refusals {
  readonly #tell: (camera: string, refusal: Refusal | undefined) => void;
  readonly #told = new Map<string, string>();

  constructor(tell: (camera: string, refusal: Refusal | undefined) => void) {
    this.#tell = tell;
  }

  refused(camera: string, refusal: Refusal): void {
    if (this.#told.get(camera) === refusal.reason) return;
    this.#told.set(camera, refusal.reason);
    this.#tell(camera, refusal);
  }

  /** It is sent, or nobody wants it any more. */
  over(camera: string): void {
    if (this.#told.delete(camera)) this.#tell(camera, undefined);
  }
}
