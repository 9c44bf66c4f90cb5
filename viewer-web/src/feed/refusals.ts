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

/**
 * Of an answer over HTTP, `{"error":{…}}`: that there is no place, or are no pictures. What else may be in the way, such
 * as a camera that is offline or a server that is busy, passes by itself or is told otherwise.
 */
export function readHttpRefusal(status: number, body: string): Refusal | undefined {
  const refusal = readRefusal(parseMessage(body)?.["error"]);
  return status === 415 || refusal?.code === "at_capacity" ? (refusal ?? { code: `http_${status}`, reason: `The server answered ${status}.` }) : undefined;
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
