// Pages built with VITE_VIEW_URL and VITE_INGEST_URL are served by another site than framecast: nothing that
// they ask the server may go to the site that serves them.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ServerClock } from "@framecast/shared/clock";
import { findCapturePage, onPort } from "../src/capture-page.ts";
import type { FeedEvents } from "../src/feed/feed.ts";
import { RestFeed } from "../src/feed/rest-feed.ts";
import { StreamFeed } from "../src/feed/stream-feed.ts";

const none = (): void => undefined;
const events: FeedEvents = { onUp: none, onCameras: none, onCamera: none, onGone: none, onFrame: none, onRefused: none, onServed: none, onDown: none };

describe("a viewer page", () => {
  const asked: string[] = [];
  const answers: Record<string, string> = {
    "/api/cameras": JSON.stringify({ cameras: [{ id: "door", online: true }] }),
    "/api/info": JSON.stringify({ ingest_port: 9090 }),
  };

  beforeEach(() => {
    asked.length = 0;
    vi.stubGlobal("location", new URL("https://pages.example/wall/index.html"));
    vi.stubGlobal("WebSocket", class extends EventTarget {
      constructor(url: URL) {
        super();
        asked.push(url.href);
      }

      close(): void {}
    });
    vi.stubGlobal("fetch", async (url: URL) => {
      asked.push(url.href);
      const answer = answers[url.pathname];
      return new Response(answer ?? "", { status: answer === undefined ? 404 : 200 });
    });
  });

  afterEach(() => {
    vi.unstubAllEnvs();
    vi.unstubAllGlobals();
  });

  async function askEverything(): Promise<void> {
    new StreamFeed(new ServerClock(), events).close();
    const rest = new RestFeed(new ServerClock(), events);
    await vi.waitFor(() => expect(asked.some((url) => url.endsWith("/frame.jpg"))).toBe(true));
    rest.close();
  }

  it("that is hosted elsewhere asks the server it was built for", async () => {
    vi.stubEnv("VITE_VIEW_URL", "https://cams.example:8081");
    vi.stubEnv("VITE_INGEST_URL", "https://cams.example:8080");
    await askEverything();
    expect(asked).toEqual([
      "wss://cams.example:8081/stream?cameras=*",
      "https://cams.example:8081/api/cameras",
      "https://cams.example:8081/api/cameras/door/frame.jpg",
    ]);
    expect((await findCapturePage()).href).toBe("https://cams.example:8080/");
  });

  it("that knows only the view port asks there for the ingest port", async () => {
    vi.stubEnv("VITE_VIEW_URL", "https://cams.example:8081");
    vi.stubEnv("VITE_INGEST_URL", "");
    expect((await findCapturePage()).href).toBe("https://cams.example:9090/");
    expect(asked).toEqual(["https://cams.example:8081/api/info"]);
    expect(onPort(8080).href).toBe("https://cams.example:8080/");
  });

  it("that was built for nowhere else asks who serves it", async () => {
    vi.stubEnv("VITE_VIEW_URL", "");
    vi.stubEnv("VITE_INGEST_URL", "");
    await askEverything();
    await findCapturePage();
    expect(new Set(asked.map((url) => new URL(url).host))).toEqual(new Set(["pages.example"]));
  });
});
