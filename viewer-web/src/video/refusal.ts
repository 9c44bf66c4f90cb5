// What a server's refusal means for the way that was asked for.

import { asText, parseMessage } from "@framecast/shared/wire/json";
import { sentence } from "@framecast/shared/words";
import { asObject } from "../listing.ts";
import type { WayEnd } from "./way.ts";

/** Codes after which this way need not be tried again while the camera stays what it is. */
const UNSUPPORTED: ReadonlySet<string> = new Set(["no_video", "unsupported_codec"]);

/** Reads an answer that is not one of success, of text or of bytes: `{"error":{"code","message"}}`. */
export function readRefusal(request: Pick<XMLHttpRequest, "status" | "response" | "getResponseHeader">): WayEnd {
  const body: unknown = request.response;
  const text = typeof body === "string" ? body : body instanceof ArrayBuffer ? new TextDecoder().decode(body) : "";
  const seconds = Number(request.getResponseHeader("Retry-After") ?? "");
  return refusal(request.status, text, seconds > 0 ? seconds * 1000 : undefined);
}

export function refusal(status: number, body: string, retryMs?: number): WayEnd {
  const error = asObject(parseMessage(body)?.["error"]);
  const code = asText(error?.["code"]);
  const message = sentence(asText(error?.["message"]) ?? `the server answered ${status}`);
  if (UNSUPPORTED.has(code ?? "")) return { ending: "unsupported", reason: message, code };
  // 503 is the camera's or its seats'; a camera that is not known is known on no other way.
  if (status === 503 || code === "unknown_camera" || code === "not_configured") return { ending: "unavailable", reason: message, code, retryMs };
  return { ending: "failed", reason: message, code };
}
