// What the viewer page looks like in each of its states, on a phone and a laptop, and that everybody can use it. The
// screenshots are for eyes; the checks are axe's.

import type { Browser, Page } from "playwright-core";
import { expect } from "vitest";
import { withCameras, type CameraOptions } from "./cameras.ts";
import { expectAccessible, LOOKS, screenshot, type Look } from "./looks.ts";
import { eventually, staged, viewerStats, type Stage } from "./stage.ts";
import type { Server } from "./server.ts";

const NINE: Record<string, CameraOptions> = Object.fromEntries(
  ["Front door", "Back yard", "Bicycle shed", "Cellar", "Drive", "Garage", "Kitchen", "Lab", "Ramp"].map((name) => [name.toLowerCase().replace(" ", "-"), { name, fps: 5, size: "640x480" }]),
);

async function open(stage: Stage, server: Server, browser: Browser, look: Look): Promise<Page> {
  const phone = look === "phone";
  return stage.page(look, server.view, { browser, context: { viewport: LOOKS[look], hasTouch: phone, isMobile: phone } });
}

async function shown(page: Page, cameras: number): Promise<void> {
  await eventually(`${cameras} cameras`, async () => {
    const known = Object.values((await viewerStats(page)).cameras);
    return known.length === cameras && known.every((camera) => camera.shown > 0);
  }, 30_000);
  // Figures and badges follow.
  await page.waitForTimeout(1_000);
}

/** Nothing may be wider than the window. */
async function expectNoSidewaysScroll(page: Page): Promise<void> {
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
}

for (const look of ["phone", "laptop", "4k"] as const) {
  staged(`the viewer on a ${look}: empty, one camera, nine, one offline, no server`, async (stage) => {
    const server = await stage.server();
    const page = await open(stage, server, await stage.browser(), look);
    const see = async (state: string): Promise<void> => {
      await screenshot(page, `viewer-${state}-${look}`);
      await expectNoSidewaysScroll(page);
      await expectAccessible(page);
    };
    await page.getByTestId("empty").waitFor();
    await page.waitForTimeout(300);
    await see("empty");
    await withCameras(server, { "front-door": { name: "Front door", fps: 5, size: "640x480" } }, async () => {
      await shown(page, 1);
      await see("one");
    });
    await withCameras(server, NINE, async (cameras) => {
      await shown(page, 9);
      await page.locator("[data-camera=front-door][data-online=true]").waitFor();
      await see("nine");
      cameras["cellar"]?.unplug();
      await page.locator("[data-camera=cellar][data-online=false]").waitFor();
      await see("offline");
      await page.keyboard.press("?");
      await page.getByTestId("help-dialog").waitFor();
      await see("help");
      await page.keyboard.press("Escape");
    });
    // What comes after has a reason to complain.
    expect(stage.errors).toEqual([]);
    await server.kill();
    await page.locator("[data-testid=viewer][data-link=reconnecting]").waitFor();
    await see("error");
  });
}
