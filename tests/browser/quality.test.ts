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
    await wide(viewer, "door", 320);
    await wide(viewer, "yard", 320);
    await viewer.locator(`${tile("door")}[data-quality=low]`).waitFor();
    // No narrower than it is shown, so nothing is made of it.
    await viewer.locator(`${tile("gate")}[data-quality=source]`).waitFor();
    expect(await viewer.locator(`${tile("yard")} [data-testid=format]`).innerText()).toBe("320×180 low");
    await eventually("the rate of small pictures", async () => Math.abs(Number(await viewer.locator(tile("yard")).getAttribute("data-fps")) - 10) < 2);

    await viewer.locator(`${tile("yard")} .tile-picture`).click();
    await wide(viewer, "yard", 640);
    await viewer.locator(`${tile("yard")}[data-quality=medium]`).waitFor();
    await viewer.setViewportSize({ width: 1400, height: 900 });
    await wide(viewer, "yard", 1280);
    await viewer.locator(`${tile("yard")}[data-quality=source]`).waitFor();
    await viewer.keyboard.press("Escape");
    await viewer.setViewportSize({ width: 660, height: 800 });
    await wide(viewer, "yard", 320);

    cameras["door"]?.unplug();
    await viewer.locator(`${tile("door")}[data-online=false]`).waitFor();
    await viewer.locator(`${tile("door")} .tile-picture`).click();
    await wide(viewer, "door", 640);
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
