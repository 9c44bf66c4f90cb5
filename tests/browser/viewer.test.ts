// The viewer page on its own: the ways it gets frames, and how it is used.

import type { Page } from "playwright-core";
import { expect } from "vitest";
import { withCameras } from "./cameras.ts";
import { eventually, live, measure, staged, viewerStats, type Stage } from "./stage.ts";
import type { Server } from "./server.ts";

async function publish(stage: Stage, server: Server, ...cameras: string[]): Promise<void> {
  const browser = await stage.browser();
  for (const camera of cameras) {
    const page = await stage.page(`capture-${camera}`, new URL(`?camera=${camera}&autostart=1&width=320&height=240`, server.ingest), { browser });
    await live(page);
  }
}

staged("polling shows frames where it is asked for", async (stage) => {
  const server = await stage.server();
  await publish(stage, server, "door");
  const viewer = await stage.page("viewer", new URL("?transport=rest", server.view));
  await viewer.locator("[data-testid=viewer][data-transport=rest]").waitFor();
  expect(await viewer.getByTestId("link").innerText()).toContain("polling");
  await viewer.waitForTimeout(1_000);
  const measured = await measure(viewer, "door", 5);
  console.log(`polling: ${measured.fps.toFixed(2)} fps shown; age p50 ${measured.ageP50.toFixed(1)} ms, p99 ${measured.ageP99.toFixed(1)} ms`);
  expect(measured.fps).toBeGreaterThan(10);
  expect(stage.errors).toEqual([]);
});

staged("more cameras than a browser has connections are polled in turn", async (stage) => {
  const server = await stage.server();
  const cameras = ["a", "b", "c", "d", "e", "f"];
  await publish(stage, server, ...cameras);
  const viewer = await stage.page("viewer", new URL("?transport=rest", server.view), { context: { viewport: { width: 1280, height: 1600 } } });
  await eventually("frames of all", async () => {
    const stats = await viewerStats(viewer);
    return cameras.every((camera) => (stats.cameras[camera]?.shown ?? 0) > 5);
  }, 20_000);
  expect(stage.errors).toEqual([]);
});

staged("no camera: says how to add one, and where", async (stage) => {
  const server = await stage.server();
  const viewer = await stage.page("viewer", server.view);
  await viewer.getByTestId("empty").waitFor();
  await eventually("the ingest port", async () => (await viewer.getByTestId("capture-link").getAttribute("href"))?.includes(`:${server.ingest.port}/`));
  expect(await viewer.getByTestId("ffmpeg").innerText()).toContain(`:${server.ingest.port}/publish/`);
  expect(stage.errors).toEqual([]);
});

staged("a camera in the address that does not exist is said so, and shown large once it is there", async (stage) => {
  const server = await stage.server();
  await withCameras(server, { door: {} }, async () => {
    const viewer = await stage.page("viewer", new URL("#camera=gate", server.view));
    const missing = viewer.getByTestId("missing");
    await missing.waitFor();
    expect(await missing.innerText()).toMatch(/no camera “gate”.*choose another below/i);
    // The wall makes room for it.
    await eventually("no scrolling", () => viewer.evaluate(() => document.documentElement.scrollHeight <= innerHeight));
    await withCameras(server, { gate: {} }, async () => {
      await viewer.locator("[data-camera=gate][data-large=true]").waitFor();
      expect(await missing.count()).toBe(0);
    });
    await viewer.goto(String(new URL("#camera=cellar", server.view)));
    await missing.waitFor();
    await viewer.getByTestId("all").click();
    await viewer.locator("[data-camera=door]").waitFor();
    expect(await missing.count()).toBe(0);
    expect(new URL(viewer.url()).hash).toBe("");
  });
  expect(stage.errors).toEqual([]);
});

staged("a tile is shown large and small again, by mouse, keyboard and address", async (stage) => {
  const server = await stage.server();
  await publish(stage, server, "door", "yard");
  const viewer = await stage.page("viewer", server.view);
  const door = viewer.locator("[data-testid=tile][data-camera=door]");
  const yard = viewer.locator("[data-testid=tile][data-camera=yard]");
  await viewer.locator("[data-camera=yard][data-online=true]").waitFor();

  await door.locator(".tile-picture").click();
  await viewer.locator("[data-camera=door][data-large=true]").waitFor();
  expect(await yard.isVisible()).toBe(false);
  expect(new URL(viewer.url()).hash).toBe("#camera=door");

  await viewer.keyboard.press("ArrowRight");
  await viewer.locator("[data-camera=yard][data-large=true]").waitFor();
  await viewer.keyboard.press("Escape");
  await viewer.locator("[data-camera=yard][data-large=false]").waitFor();
  expect(await door.isVisible()).toBe(true);

  await door.locator(".tile-picture").focus();
  await viewer.keyboard.press("Enter");
  await viewer.locator("[data-camera=door][data-large=true]").waitFor();
  await viewer.goBack();
  await viewer.locator("[data-camera=door][data-large=false]").waitFor();

  const direct = await stage.page("direct", new URL("?camera=yard", server.view));
  await direct.locator("[data-camera=yard][data-large=true]").waitFor();
  await direct.getByTestId("all").click();
  await direct.locator("[data-camera=door]").waitFor();
  expect(stage.errors).toEqual([]);
});

staged("a camera out of sight is not sent, and runs again when it is shown", async (stage) => {
  const server = await stage.server();
  await publish(stage, server, "door", "yard");
  const viewer = await stage.page("viewer", new URL("#camera=door", server.view));
  await viewer.locator("[data-camera=door][data-large=true]").waitFor();
  await viewer.waitForTimeout(1_500);
  expect((await measure(viewer, "yard", 3)).fps).toBe(0);
  expect((await measure(viewer, "door", 3)).fps).toBeGreaterThan(25);
  await viewer.getByTestId("all").click();
  await viewer.waitForTimeout(1_500);
  expect((await measure(viewer, "yard", 3)).fps).toBeGreaterThan(25);
  expect(stage.errors).toEqual([]);
});

staged("nothing moves when frames, names and figures come in, and a camera goes", async (stage) => {
  const server = await stage.server();
  await withCameras(server, { door: { name: "Front door" }, yard: {} }, async (cameras) => {
    const viewer = await stage.page("viewer", server.view);
    await viewer.locator("[data-camera=yard][data-live=true]").waitFor();
    await viewer.waitForTimeout(500);
    const moved = shift(viewer);
    await viewer.waitForTimeout(500);
    cameras["door"]?.unplug();
    await viewer.locator("[data-camera=door][data-online=false]").waitFor();
    expect(await moved).toBeLessThan(0.01);
  });
  expect(stage.errors).toEqual([]);
});

/** How much the layout shifts, from the page's start to three seconds from now. */
function shift(viewer: Page): Promise<number> {
  return viewer.evaluate(
    () =>
      new Promise<number>((resolve) => {
        let sum = 0;
        const observer = new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) sum += (entry as PerformanceEntry & { value: number }).value;
        });
        // Buffered: also what moved while the page was being laid out.
        observer.observe({ type: "layout-shift", buffered: true });
        setTimeout(() => {
          observer.disconnect();
          resolve(sum);
        }, 3_000);
      }),
  );
}
