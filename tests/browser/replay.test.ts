// Instant replay, as a person uses it.

import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { expectAccessible, LOOKS, screenshot } from "./looks.ts";
import { eventually, staged, type Stage } from "./stage.ts";
import type { Server } from "./server.ts";

async function open(stage: Stage, server: Server): Promise<Page> {
  const viewer = await stage.page("viewer", server.view, { context: { viewport: LOOKS.laptop, acceptDownloads: true } });
  await viewer.locator("[data-camera=demo-clock][data-live=true]").waitFor();
  // So that the cache reaches back some seconds.
  await viewer.waitForTimeout(3_500);
  await viewer.locator("[data-camera=demo-clock]").getByTestId("replay-open").click();
  await viewer.locator("[data-testid=replay-state][data-phase=ready]").waitFor();
  return viewer;
}

const index = async (page: Page): Promise<number> => Number(await page.getByTestId("replay-state").getAttribute("data-index"));

const beforeEndS = async (page: Page): Promise<number> => Number(/[\d.]+/.exec(await page.getByTestId("replay-before").innerText())?.[0] ?? "0");

/** The picture, as far as it tells one from another. */
const pixels = (page: Page): Promise<string> =>
  page.locator("[data-testid=replay-state] canvas").evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL("image/jpeg", 0.5));

staged("the last seconds are played, scrubbed, stepped, saved, and left", async (stage) => {
  const server = await stage.server([], undefined, "demo");
  const viewer = await open(stage, server);
  const state = viewer.getByTestId("replay-state");

  await viewer.locator("[data-testid=replay-state][data-playing=false]").waitFor();
  expect(await viewer.getByTestId("replay-before").innerText()).toBe("newest");

  // At real speed, now that all pictures are here.
  await viewer.getByTestId("replay-play").click();
  await eventually("the start", async () => (await beforeEndS(viewer)) > 3);
  const [startMs, startS] = [Date.now(), await beforeEndS(viewer)];
  await viewer.waitForTimeout(2_000);
  const [endMs, endS] = [Date.now(), await beforeEndS(viewer)];
  const speed = ((startS - endS) * 1000) / (endMs - startMs);
  console.log(`replay: ${speed.toFixed(2)} seconds a second`);
  expect(Math.abs(speed - 1)).toBeLessThan(0.15);
  await viewer.locator("[data-testid=replay-state][data-playing=false]").waitFor();

  // The keyboard: the dialog has the focus already.
  await viewer.getByTestId("replay-play").focus();
  const newest = await index(viewer);
  const last = await pixels(viewer);
  await viewer.keyboard.press("ArrowLeft");
  await viewer.keyboard.press("ArrowLeft");
  await eventually("two frames back", async () => (await index(viewer)) === newest - 2);
  await eventually("another picture", async () => (await pixels(viewer)) !== last);
  await viewer.keyboard.press("ArrowRight");
  expect(await index(viewer)).toBe(newest - 1);
  await viewer.keyboard.press("Home");
  await eventually("the oldest", async () => (await index(viewer)) === 0);
  expect(await viewer.getByTestId("replay-before").innerText()).toMatch(/^−[3-9]\.\d s$/);

  // The slider, by pointer and by its own keys.
  const slider = viewer.getByTestId("replay-slider");
  const box = await slider.boundingBox();
  if (box === null) throw new Error("no slider");
  await viewer.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  const middle = await index(viewer);
  expect(Math.abs(middle - newest / 2)).toBeLessThan(newest / 8);
  await viewer.keyboard.press("ArrowRight");
  await eventually("the slider's own step", async () => (await index(viewer)) === middle + 1);
  expect(await slider.getAttribute("aria-valuetext")).toMatch(/^\d+\.\d seconds before the newest, \d\d:\d\d:\d\d\.\d\d$/);

  const saving = viewer.waitForEvent("download");
  await viewer.getByTestId("replay-save").click();
  const saved = await saving;
  expect(saved.suggestedFilename()).toMatch(/^demo-clock-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.jpg$/);
  expect([...(await readFile(await saved.path())).subarray(0, 2)]).toEqual([0xff, 0xd8]);

  await screenshot(viewer, "replay-laptop");
  await expectAccessible(viewer);
  await viewer.setViewportSize(LOOKS.phone);
  await screenshot(viewer, "replay-phone");

  await viewer.keyboard.press("Escape");
  await viewer.getByTestId("replay").waitFor({ state: "detached" });
  expect(await state.count()).toBe(0);
  expect(await viewer.evaluate(() => document.activeElement?.getAttribute("data-testid"))).toBe("replay-open");
  expect(stage.errors).toEqual([]);
});

staged("frames that leave the cache while a replay stands are missed by nobody who has seen them", async (stage) => {
  const server = await stage.server(["--cache-secs", "2"], undefined, "demo");
  const viewer = await open(stage, server);
  const play = viewer.getByTestId("replay-play");
  await play.click();
  // By now the server holds none of these any more.
  await viewer.waitForTimeout(3_000);
  await viewer.keyboard.press("Home");
  await eventually("the oldest", async () => (await index(viewer)) === 0);
  expect(await viewer.getByTestId("replay-save").isEnabled()).toBe(true);
  await play.click();
  await viewer.locator("[data-testid=replay-state][data-playing=true]").waitFor();
  await viewer.locator("[data-testid=replay-state][data-playing=false]").waitFor();
  expect(await viewer.getByTestId("replay-before").innerText()).toBe("newest");
  expect(stage.errors).toEqual([]);
});

staged("a replay says what is missing where the network brings nothing in time", async (stage) => {
  const server = await stage.server(["--cache-secs", "2"], undefined, "demo");
  const viewer = await stage.page("viewer", server.view);
  await viewer.locator("[data-camera=demo-clock][data-live=true]").waitFor();
  await viewer.waitForTimeout(2_500);
  // The list comes, and when the pictures are asked for the oldest have gone.
  await viewer.route("**/frame.jpg?seq=*", async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 400));
    await route.continue();
  });
  await viewer.locator("[data-camera=demo-clock]").getByTestId("replay-open").click();
  await viewer.getByText("left the server's cache").waitFor();
});
