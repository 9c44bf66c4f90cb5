// The server's cache over REST: docs/protocol.md.

import { httpUrl } from "@framecast/shared/address";
import { parseMessage } from "@framecast/shared/wire/json";
import type { ReplaySource } from "./replay.ts";
import { readMoments } from "./timeline.ts";

export function restSource(camera: string): ReplaySource {
  const ask = (file: string, signal?: AbortSignal): Promise<Response> =>
    fetch(httpUrl(`api/cameras/${encodeURIComponent(camera)}/${file}`, import.meta.env.VITE_VIEW_URL, location.href), { cache: "no-store", signal: signal ?? null });
  return {
    list: async () => {
      const response = await ask("frames").catch(() => {
        throw new Error("The server cannot be reached.");
      });
      if (!response.ok) throw new Error(response.status === 404 ? "The server no longer knows this camera." : `The server answered ${response.status}.`);
      return readMoments(parseMessage(await response.text()));
    },
    fetch: async (seq, signal) => {
      const response = await ask(`frame.jpg?seq=${seq}`, signal);
      if (response.status === 404) return "gone";
      if (!response.ok) throw new Error(`The server answered ${response.status}.`);
      return response.blob();
    },
  };
}
