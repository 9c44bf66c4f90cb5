// What <framecast-view> asks the server for: pictures as wide as it shows them, and none while nobody sees it.

import type { Page } from "playwright-core";
import { expect } from "vitest";
import { withCameras } from "./cameras.ts";
import type { Server } from "./server.ts";
import { startSite } from "./site.ts";
import { eventually, staged, type Stage } from "./stage.ts";
import { hide } from "./window.ts";

/** Counts the pictures that are drawn, and how large they are, from before the element is there. */
const LISTENER = `<script>
  const drawn = { frames: 0, width: 0, ageMs: 0 };
  addEventListener("DOMContentLoaded", () => document.querySelector("framecast-view").addEventListener("frame", ({ detail }) => Object.assign(drawn, { frames: drawn.frames + 1, width: detail.width, ageMs: detail.ageMs })));
</script>`;

interface Drawn {
  frames: number;
  width: number;
  ageMs: number;
}

const drawn = (page: Page): Promise<Drawn> => page.evaluate("drawn");

/** A page of another server on this machine, which needs no permission. */
async function wall(stage: Stage, server: Server, attributes: string): Promise<string> {
  const site = await startSite({
    "/": `<!doctype html><html lang="en"><title>wall</title><link rel="icon" href="data:,">${LISTENER}<script src="${server.view.href}framecast-view.js" defer></script>
<body style="margin:0"><framecast-view src="${server.view.origin}" camera="door" style="width:300px" ${attributes}></framecast-view><div style="height:3000px"></div>`,
  });
  stage.closes(site.stop);
  return site.origin.replace("wall.example", "127.0.0.1");
}

async function wide(page: Page, width: number): Promise<void> {
  let seen = 0;
  await eventually(`pictures that are ${width} wide`, async () => (seen = (await drawn(page)).width) === width).catch((error: unknown) => {
    throw new Error(`${String(error)}; the last was ${seen}`);
  });
}

const resize = (page: Page, style: string): Promise<void> => page.evaluate((style) => document.querySelector("framecast-view")?.setAttribute("style", style), style);

for (const [transport, small] of [["ws", 640], ["mjpeg", 480], ["rest", 480]] as const) {
  staged(`an element gets pictures as wide as it shows them, also when that changes (${transport})`, async (stage) => {
    const server = await stage.server();
    await withCameras(server, { door: { size: "1280x720" } }, async () => {
      const page = await stage.page("wall", await wall(stage, server, `transport="${transport}"`));
      // Not the 320 of a thumbnail, which has 10 pictures a second.
      await wide(page, small);
      await resize(page, "width:600px");
      await wide(page, 640);
      // As wide as the whole page: as the camera sends it.
      await resize(page, "width:1280px;aspect-ratio:auto;height:720px");
      await wide(page, 1280);
      // A wide picture takes but a part of a tall element, unless it covers it.
      await resize(page, "width:300px;aspect-ratio:auto;height:700px");
      await wide(page, small);
      await page.evaluate(() => document.querySelector("framecast-view")?.setAttribute("fit", "cover"));
      await wide(page, 1280);
      await page.evaluate(() => document.querySelector("framecast-view")?.setAttribute("quality", "low"));
      await wide(page, 320);
      await resize(page, "width:300px");
      await page.evaluate(() => document.querySelector("framecast-view")?.setAttribute("quality", "source"));
      await wide(page, 1280);
    });
    expect(stage.errors).toEqual([]);
  });
}

for (const transport of ["ws", "mjpeg"]) {
  staged(`a small element gets every picture, and a thumbnail where it wants few (${transport})`, async (stage) => {
    const server = await stage.server();
    await withCameras(server, { door: { size: "640x360", fps: 30 } }, async () => {
      const page = await stage.page("wall", await wall(stage, server, `transport="${transport}"`));
      await eventually("a picture", async () => (await drawn(page)).frames > 0);
      const before = (await drawn(page)).frames;
      await page.waitForTimeout(3_000);
      expect(((await drawn(page)).frames - before) / 3).toBeGreaterThan(13);
      await page.evaluate(() => document.querySelector("framecast-view")?.setAttribute("max-fps", "5"));
      await wide(page, 320);
    });
    expect(stage.errors).toEqual([]);
  });
}

staged("an element on a dense screen gets device pixels", async (stage) => {
  const server = await stage.server();
  await withCameras(server, { door: { size: "1280x720" } }, async () => {
    const page = await stage.page("wall", await wall(stage, server, ""), { context: { deviceScaleFactor: 2 } });
    await wide(page, 640);
  });
  expect(stage.errors).toEqual([]);
});

for (const transport of ["ws", "mjpeg", "rest"]) {
  staged(`an element in a hidden tab or out of sight receives nothing, and comes back with a fresh picture (${transport})`, async (stage) => {
    const server = await stage.server();
    await withCameras(server, { door: { fps: 20 } }, async () => {
      const page = await stage.page("wall", await wall(stage, server, `transport="${transport}"`), { window: await stage.window() });
      const session = await page.context().newCDPSession(page);
      const received = { count: 0 };
      for (const event of ["Network.webSocketFrameReceived", "Network.dataReceived"] as const) session.on(event, () => (received.count += 1));
      await session.send("Network.enable");
      await eventually("pictures", async () => (await drawn(page)).frames > 20);
      expect(received.count).toBeGreaterThan(10);

      const ways: [string, () => Promise<() => Promise<unknown>>][] = [
        ["hidden tab", () => hide(page)],
        ["scrolled away", async () => {
          await page.evaluate(() => scrollTo(0, 2_500));
          return () => page.evaluate(() => scrollTo(0, 0));
        }],
        ["not displayed", async () => {
          await resize(page, "width:300px;display:none");
          return () => resize(page, "width:300px");
        }],
      ];
      for (const [what, leave] of ways) {
        const comeBack = await leave();
        // A second of grace, another because browsers look at a hidden page's timers once a second, and what was on its way.
        await page.waitForTimeout(3_000);
        const before = { received: received.count, frames: (await drawn(page)).frames };
        await page.waitForTimeout(2_000);
        expect(received.count - before.received, what).toBe(0);
        await comeBack();
        await eventually(`a fresh picture after: ${what}`, async () => {
          const now = await drawn(page);
          return now.frames > before.frames && now.ageMs < 500;
        }, 3_000);
      }
    });
    expect(stage.errors).toEqual([]);
  });
}
