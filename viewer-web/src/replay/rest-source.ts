// The server's cache over REST: docs/protocol.md.

import { httpUrl } from "@framecast/shared/address";
import { asNumber, parseMessage } from "@framecast/shared/wire/json";
import type { ReplaySource } from "./replay.ts";
import { readMoments } from "./timeline.ts";

/** A frame with less time left in the cache than this is not asked for: it would be gone when the request comes. */
const MARGIN_MS = 300;

export function restSource(camera: string): ReplaySource {
  /** Until when the server surely has a frame, on `performance.now()`'s clock. */
  const leaves = new Map<number, number>();
  const ask = (file: string, signal?: AbortSignal): Promise<Response> =>
    fetch(httpUrl(`api/cameras/${encodeURIComponent(camera)}/${file}`, import.meta.env.VITE_VIEW_URL, location.href), { cache: "no-store", signal: signal ?? null });
  return {
    list: async () => {
      const response = await ask("frames").catch(() => {
        throw new Error("The server cannot be reached.");
      });
      if (!response.ok) throw new Error(response.status === 404 ? "The server no longer knows this camera." : `The server answered ${response.status}.`);
      const listedMs = performance.now();
      const answer = parseMessage(await response.text());
      const moments = readMoments(answer);
      const maxAgeMs = asNumber(answer?.["max_age_ms"]) ?? Number.POSITIVE_INFINITY;
      // The newest stays.
      for (const { seq, ageMs } of moments.slice(0, -1)) leaves.set(seq, listedMs + maxAgeMs - ageMs - MARGIN_MS);
      return moments;
    },
    fetch: async (seq, signal) => {
      if (performance.now() > (leaves.get(seq) ?? Number.POSITIVE_INFINITY)) return "gone";
      const response = await ask(`frame.jpg?seq=${seq}`, signal);
      if (response.status === 404) return "gone";
      if (!response.ok) throw new Error(`The server answered ${response.status}.`);
      return response.blob();
    },
  };
}
