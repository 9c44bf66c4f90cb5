// The sizes that a page gets of its cameras: those that it shows, over every way that frames come.

import type { Page } from "playwright-core";
import { expect } from "vitest";
import { withCameras } from "./cameras.ts";
import { eventually, staged, viewerStats } from "./stage.ts";

const tile = (camera: string): string => `[data-testid=tile][data-camera=${camera}]`;

/** Waits until the camera's pictures are this wide. */
async function wide(page: Page, camera: string, width: number): Promise<void> {
  let seen: number | undefined;
  await eventually(`pictures of ${camera} that are ${width} wide`, async () => {
    seen = (await viewerStats(page)).cameras[camera]?.width;
    return seen === width;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; the last was ${seen}`);
  });
}

staged("a tile gets the size it shows, and says so; also of a camera that has gone", async (stage) => {
  const server = await stage.server();
  await withCameras(server, { door: { size: "1280x720" }, yard: { size: "1280x720", fps: 30 }, gate: { size: "320x240" } }, async (cameras) => {
    const viewer = await stage.page("viewer", new URL("#layout=4", server.view), { context: { viewport: { width: 660, height: 800 } } });
    await wide(viewer, "door", 640);
    await wide(viewer, "yard", 640);
    await viewer.locator(`${tile("door")}[data-quality=medium]`).waitFor();
    // No narrower than it is shown, so nothing is made of it.
    await viewer.locator(`${tile("gate")}[data-quality=source]`).waitFor();
    expect(await viewer.locator(`${tile("yard")} [data-testid=format]`).innerText()).toBe("640×360 medium");

    await viewer.locator(`${tile("yard")} .tile-picture`).click();
    await viewer.setViewportSize({ width: 1400, height: 900 });
    await wide(viewer, "yard", 1280);
    await viewer.locator(`${tile("yard")}[data-quality=source]`).waitFor();
    await viewer.keyboard.press("Escape");
    await viewer.setViewportSize({ width: 660, height: 800 });
    await wide(viewer, "yard", 640);

    cameras["door"]?.unplug();
    await viewer.locator(`${tile("door")}[data-online=false]`).waitFor();
    await viewer.setViewportSize({ width: 1400, height: 900 });
    await viewer.locator(`${tile("door")} .tile-picture`).click();
    await wide(viewer, "door", 1280);
  });
  expect(stage.errors).toEqual([]);
});

staged("a wall of nine small tiles runs at the cameras' full rate", async (stage) => {
  const server = await stage.server();
  const ids = Array.from({ length: 9 }, (_, index) => `cam-${index + 1}`);
  // Just wider than `low`, and small: nine larger ones, made, scaled and drawn here, would measure this machine.
  await withCameras(server, Object.fromEntries(ids.map((id) => [id, { size: "336x192", fps: 30 }])), async () => {
    const viewer = await stage.page("viewer", new URL("#layout=9", server.view), { context: { viewport: { width: 1440, height: 900 } } });
    await eventually("nine tiles", async () => (await viewer.locator("[data-testid=tile]:not([hidden])").count()) === 9);
    expect(await viewer.locator(tile("cam-1")).evaluate((element) => element.clientWidth)).toBeLessThanOrEqual(320);
    for (const id of ids) {
      let seen = 0;
      await eventually(`full rate of ${id}`, async () => (seen = Number(await viewer.locator(tile(id)).getAttribute("data-fps"))) > 13).catch((error: unknown) => {
        throw new Error(`${String(error)}; the last was ${seen}`);
      });
    }
  });
  expect(stage.errors).toEqual([]);
});

for (const transport of ["mjpeg", "rest"]) {
  staged(`over ${transport} too a tile gets the size it shows`, async (stage) => {
    const server = await stage.server();
    await withCameras(server, { door: { size: "1280x720" } }, async () => {
      const viewer = await stage.page("viewer", new URL(`?transport=${transport}`, server.view), { context: { viewport: { width: 620, height: 800 } } });
      await wide(viewer, "door", 640);
      await viewer.setViewportSize({ width: 1400, height: 900 });
      await wide(viewer, "door", 1280);
    });
    expect(stage.errors).toEqual([]);
  });
}
