// A camera that as many watch as may: who comes later is told so, and sees it when a place is free.

import type { Page } from "playwright-core";
import { expect } from "vitest";
import { withCameras } from "./cameras.ts";
import { setUp } from "./ip-camera.ts";
import type { Server } from "./server.ts";
import { startSite } from "./site.ts";
import { eventually, staged, viewerStats, type Stage } from "./stage.ts";

/** A camera that is pushed and has one place. */
async function withOnePlace(server: Server, body: () => Promise<void>): Promise<void> {
  await setUp(server, "door", { source: { type: "push" }, max_viewers: 1 });
  await withCameras(server, { door: { fps: 20 } }, async () => {
    await eventually("the camera", async () => {
      const response = await fetch(new URL("/api/cameras/door", server.view));
      return ((await response.json()) as { online: boolean }).online;
    });
    await body();
  });
}

const shown = async (page: Page): Promise<number> => (await viewerStats(page)).cameras["door"]?.shown ?? 0;

/** Another viewer, which has the place until it is closed. */
async function first(stage: Stage, server: Server): Promise<Page> {
  const page = await stage.page("first", server.view);
  await eventually("pictures for who came first", async () => (await shown(page)) > 5);
  return page;
}

/** What browsers write of answers that are no success; they are what is tested. */
const refusals = /the server responded with a status of (503|415)/;

for (const transport of ["ws", "mjpeg", "rest"]) {
  staged(`a tile of a camera whose seats are taken says so, and plays when one is free (${transport})`, async (stage) => {
    const server = await stage.server();
    await withOnePlace(server, async () => {
      const before = await first(stage, server);
      const viewer = await stage.page("viewer", new URL(`?transport=${transport}`, server.view));
      const words = viewer.locator("[data-testid=tile][data-camera=door] [data-testid=tile-words]");
      await eventually("why there are no pictures", async () => (await words.count()) === 1 && /All seats are taken.*max_viewers.*Trying again/s.test(await words.innerText()));
      const count = await shown(viewer);
      await before.close();
      await eventually("pictures", async () => (await shown(viewer)) > count + 5);
      expect(await words.count()).toBe(0);
    });
    expect(stage.errors.filter((error) => !refusals.test(error))).toEqual([]);
  });

  staged(`an element whose camera's seats are taken says so and is not online for a moment; then it is (${transport})`, async (stage) => {
    const server = await stage.server();
    await withOnePlace(server, async () => {
      const before = await first(stage, server);
      const site = await startSite({
        "/": `<!doctype html><html lang="en"><title>wall</title><link rel="icon" href="data:,"><script>
  const heard = [];
  addEventListener("DOMContentLoaded", () => {
    const view = document.querySelector("framecast-view");
    for (const kind of ["online", "offline"]) view.addEventListener(kind, ({ detail }) => heard.push(kind + " " + (detail.reason ?? "")));
  });
</script><script src="${server.view.href}framecast-view.js" defer></script>
<body><framecast-view src="${server.view.origin}" camera="door" style="width:300px" transport="${transport}"></framecast-view>`,
      });
      stage.closes(site.stop);
      const page = await stage.page("wall", site.origin.replace("wall.example", "127.0.0.1"));
      const heard = (): Promise<string[]> => page.evaluate("heard");
      await eventually("a word of it", async () => (await heard()).length > 0);
      // Longer than until it has asked again.
      await page.waitForTimeout(6_500);
      expect(await heard()).toHaveLength(1);
      expect((await heard())[0]).toMatch(/^offline All seats are taken: .*max_viewers/);
      await before.close();
      await eventually("the camera", async () => (await heard())[1]?.startsWith("online"));
    });
    expect(stage.errors.filter((error) => !refusals.test(error))).toEqual([]);
  });
}
