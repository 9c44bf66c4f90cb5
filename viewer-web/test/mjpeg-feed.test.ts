import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ServerClock } from "@framecast/shared/clock";
import { MjpegFeed } from "../src/feed/mjpeg-feed.ts";

const part = (seq: number): string =>
  `Content-Type: image/jpeg\r\nContent-Length: 4\r\nX-Framecast-Seq: ${String(seq)}\r\nX-Framecast-Received-Us: 1\r\n\r\njpeg\r\n--framecast\r\n`;

describe("MjpegFeed", () => {
  beforeEach(() => vi.stubGlobal("location", new URL("http://10.0.0.2:8081/")));
  afterEach(() => vi.unstubAllGlobals());

  it("leaves out a picture that the server sends again because it stays", async () => {
    const stream = "--framecast\r\n" + [1, 1, 1, 2, 2].map(part).join("");
    vi.stubGlobal("fetch", (url: URL) => {
      const body = url.pathname.endsWith("/stream.mjpeg") ? stream : url.pathname === "/api/cameras" ? '{"cameras":[{"id":"door","name":"Door","online":true}]}' : "";
      return Promise.resolve(new Response(body));
    });
    const none = (): void => undefined;
    const seqs: (bigint | undefined)[] = [];
    const feed = new MjpegFeed(new ServerClock(), {
      onCameras: none, onCamera: none, onGone: none, onRefused: none, onServed: none, onUp: none, onDown: none,
      onFrame: ({ seq }) => seqs.push(seq),
    });
    await vi.waitFor(() => expect(seqs).toContain(2n));
    feed.close();
    expect(seqs).toEqual([1n, 2n]);
  });

  // As WebKit's streams do.
  it.each([[0, ["unable: This browser gives a page no pictures of an MJPEG stream."]], [1, []]])("gives way where streams break off behind their header, %i pictures seen", async (pictures, endings) => {
    vi.useFakeTimers();
    let streams = 0;
    vi.stubGlobal("fetch", (url: URL) => {
      if (!url.pathname.endsWith("/stream.mjpeg")) return Promise.resolve(new Response('{"cameras":[{"id":"door","name":"Door","online":true}]}'));
      streams += 1;
      const bytes = new TextEncoder().encode("--framecast\r\n" + part(1));
      let sent = 0;
      const pull = (body: ReadableStreamDefaultController<Uint8Array>): void => {
        if (streams === 1 && sent++ < pictures) body.enqueue(bytes);
        else body.error(new TypeError("Load failed"));
      };
      return Promise.resolve(new Response(new ReadableStream({ pull }, { highWaterMark: 0 })));
    });
    const none = (): void => undefined;
    const downs: string[] = [];
    const feed = new MjpegFeed(new ServerClock(), {
      onCameras: none, onCamera: none, onGone: none, onRefused: none, onServed: none, onUp: none, onFrame: none,
      onDown: (reason, ending) => downs.push(`${ending}: ${reason}`),
    });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(downs).toEqual(endings);
    feed.close();
    vi.useRealTimers();
  });
});
