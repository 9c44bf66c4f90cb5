// The wall of the viewer page as a person uses it: layouts, order, filter, keys, full screen, pictures to keep, and
// which way the frames come.

import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { withCameras, type CameraOptions } from "./cameras.ts";
import { behindProxy } from "./proxy.ts";
import { eventually, measure, staged, viewerStats } from "./stage.ts";

const some = (count: number, options: CameraOptions = {}): Record<string, CameraOptions> => Object.fromEntries(Array.from({ length: count }, (_, index) => [`cam${index + 1}`, options]));

/** Ids in the order of the tiles that are not hidden. */
const order = (page: Page): Promise<string[]> => page.locator("[data-testid=tile]:not([hidden])").evaluateAll((tiles) => tiles.map((tile) => (tile as HTMLElement).dataset["camera"] ?? ""));

const tile = (camera: string): string => `[data-testid=tile][data-camera=${camera}]`;

/** Waits until all of these have a picture. */
async function pictures(page: Page, cameras: string[]): Promise<void> {
  await eventually(`pictures of ${cameras.join(", ")}`, async () => {
    const stats = await viewerStats(page);
    return cameras.every((camera) => (stats.cameras[camera]?.shown ?? 0) > 0);
  });
}

staged("layouts show so many cameras at a time, by button, key and address, and are remembered", async (stage) => {
  const server = await stage.server();
  await withCameras(server, some(10, { fps: 5 }), async (cameras) => {
    const viewer = await stage.page("viewer", server.view);
    await pictures(viewer, Object.keys(cameras));
    const columns = (): Promise<string | null> => viewer.getByTestId("wall").getAttribute("data-columns");
    await viewer.getByRole("radio", { name: /Four/ }).check({ force: true });
    expect(await columns()).toBe("2");
    expect(new URL(viewer.url()).hash).toBe("#layout=4");
    await viewer.locator("h1").click();
    await viewer.keyboard.press("3");
    expect(await columns()).toBe("3");
    // Nine fill the window; the tenth is scrolled to.
    expect(await viewer.evaluate(() => document.documentElement.scrollHeight > innerHeight)).toBe(true);
    await viewer.goto(server.view.href);
    await viewer.reload();
    await viewer.locator("[data-testid=wall][data-layout='9']").waitFor();
    await viewer.goto(new URL("#layout=16", server.view).href);
    await viewer.locator("[data-testid=wall][data-columns='4']").waitFor();
  });
  expect(stage.errors).toEqual([]);
});

staged("a picture shown at half its size is decoded so, and anew when it is shown large, also after its camera left", async (stage) => {
  const server = await stage.server();
  await withCameras(server, some(9, { fps: 5, size: "640x480" }), async (cameras) => {
    const viewer = await stage.page("viewer", new URL("#layout=9", server.view));
    await pictures(viewer, Object.keys(cameras));
    const drawn = (): Promise<number> => viewer.locator(`${tile("cam1")} canvas`).evaluate((canvas) => (canvas as HTMLCanvasElement).width);
    await eventually("half the pixels", async () => (await drawn()) === 320);
    await eventually("its own size", async () => (await viewerStats(viewer)).cameras["cam1"]?.width === 640);
    // Zoomed in with two fingers, and out again.
    const devtools = await viewer.context().newCDPSession(viewer);
    await devtools.send("Emulation.setPageScaleFactor", { pageScaleFactor: 2 });
    await eventually("all pixels of twice as many", async () => (await drawn()) === 640);
    await devtools.send("Emulation.setPageScaleFactor", { pageScaleFactor: 1 });
    await eventually("half the pixels again", async () => (await drawn()) === 320);
    cameras["cam1"]?.unplug();
    await viewer.locator(`${tile("cam1")}[data-online=false]`).waitFor();
    await viewer.locator(`${tile("cam1")} .tile-picture`).click();
    await eventually("all pixels", async () => (await drawn()) === 640);
  });
  expect(stage.errors).toEqual([]);
});

staged("only cameras in sight are sent, and one that comes into sight runs at once", async (stage) => {
  const server = await stage.server();
  await withCameras(server, some(6), async (cameras) => {
    const viewer = await stage.page("viewer", new URL("#layout=1", server.view));
    await pictures(viewer, Object.keys(cameras));
    await viewer.waitForTimeout(1_500);
    expect((await measure(viewer, "cam6", 2)).fps).toBe(0);
    expect((await measure(viewer, "cam1", 2)).fps).toBeGreaterThan(7);
    await viewer.locator(tile("cam6")).scrollIntoViewIfNeeded();
    await eventually("frames of what is in sight now", async () => Number(await viewer.locator(tile("cam6")).getAttribute("data-fps")) > 7);
    // A camera that is not sent is heard of all the same.
    cameras["cam1"]?.unplug();
    await viewer.locator(`${tile("cam1")}[data-online=false]`).waitFor({ state: "attached" });
  });
  expect(stage.errors).toEqual([]);
});

staged("a camera is moved by mouse, by finger and by key, and stays there", async (stage) => {
  const server = await stage.server();
  await withCameras(server, some(4), async (cameras) => {
    const browser = await stage.browser();
    const viewer = await stage.page("viewer", server.view, { browser });
    await pictures(viewer, Object.keys(cameras));
    await viewer.hover(tile("cam1"));
    await viewer.locator(`${tile("cam1")} [data-testid=move]`).hover();
    await viewer.mouse.down();
    await viewer.hover(tile("cam3"), { force: true, position: { x: 40, y: 40 } });
    expect(await viewer.locator(tile("cam3")).getAttribute("data-target")).toBe("true");
    await viewer.mouse.up();
    await eventually("the new order", async () => (await order(viewer)).join() === "cam2,cam3,cam1,cam4");

    await viewer.locator(`${tile("cam1")} .tile-picture`).focus();
    await viewer.keyboard.press("Shift+ArrowLeft");
    await eventually("the order after a key", async () => (await order(viewer)).join() === "cam2,cam1,cam3,cam4");
    // The focus goes with it.
    await eventually("the focus", () => viewer.evaluate(() => document.activeElement?.closest<HTMLElement>("[data-camera]")?.dataset["camera"] === "cam1"));
    expect((await measure(viewer, "cam1", 2)).fps).toBeGreaterThan(7);
    await viewer.reload();
    await pictures(viewer, Object.keys(cameras));
    expect((await order(viewer)).join()).toBe("cam2,cam1,cam3,cam4");

    const phone = await stage.page("phone", server.view, { browser, context: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true } });
    await pictures(phone, Object.keys(cameras));
    const from = await phone.locator(`${tile("cam1")} [data-testid=move]`).boundingBox();
    const to = await phone.locator(tile("cam2")).boundingBox();
    if (from === null || to === null) throw new Error("no tiles");
    const finger = await phone.context().newCDPSession(phone);
    const touch = (type: "touchStart" | "touchMove" | "touchEnd", x = 0, y = 0): Promise<unknown> => finger.send("Input.dispatchTouchEvent", { type, touchPoints: type === "touchEnd" ? [] : [{ x, y }] });
    await touch("touchStart", from.x + from.width / 2, from.y + from.height / 2);
    for (const part of [0.3, 0.7, 1]) await touch("touchMove", from.x + (to.x + 30 - from.x) * part, from.y + (to.y + 60 - from.y) * part);
    await touch("touchEnd");
    await eventually("the order after a finger", async () => (await order(phone)).join() === "cam2,cam1,cam3,cam4");
  });
  expect(stage.errors).toEqual([]);
});

staged("the filter finds cameras by name, and is in the address", async (stage) => {
  const server = await stage.server();
  await withCameras(server, { a: { name: "Front door" }, b: { name: "Back door" }, c: { name: "Garage" } }, async () => {
    const viewer = await stage.page("viewer", server.view);
    await pictures(viewer, ["a", "b", "c"]);
    await viewer.locator("h1").click();
    await viewer.keyboard.press("/");
    await viewer.keyboard.type("door");
    await eventually("two doors", async () => (await order(viewer)).join() === "a,b");
    expect(new URL(viewer.url()).hash).toBe("#filter=door");
    await viewer.getByTestId("filter").fill("attic");
    await viewer.getByTestId("no-match").waitFor();
    await viewer.getByRole("button", { name: "Show all 3" }).click();
    await eventually("all", async () => (await order(viewer)).length === 3);
    await viewer.waitForTimeout(1_000);
    expect((await measure(viewer, "c", 2)).fps).toBeGreaterThan(7);
  });
  expect(stage.errors).toEqual([]);
});

staged("keys go from camera to camera, fill the screen and explain themselves", async (stage) => {
  const server = await stage.server();
  await withCameras(server, some(4), async (cameras) => {
    const viewer = await stage.page("viewer", server.view);
    await pictures(viewer, Object.keys(cameras));
    const focus = (): Promise<string | undefined> => viewer.evaluate(() => document.activeElement?.closest<HTMLElement>("[data-camera]")?.dataset["camera"]);
    for (const key of ["ArrowRight", "ArrowRight", "ArrowDown"]) await viewer.keyboard.press(key);
    expect(await focus()).toBe("cam4");
    await viewer.keyboard.press("f");
    await eventually("full screen", () => viewer.evaluate(() => (document.fullscreenElement as HTMLElement | null)?.dataset["camera"] === "cam4"));
    await viewer.keyboard.press("f");
    await eventually("no full screen", () => viewer.evaluate(() => document.fullscreenElement === null));
    await viewer.keyboard.press("Enter");
    await viewer.locator(`${tile("cam4")}[data-large=true]`).waitFor();
    await viewer.keyboard.press("Escape");
    await viewer.locator(`${tile("cam4")}[data-large=false]`).waitFor();
    await viewer.keyboard.press("?");
    await viewer.getByTestId("help-dialog").waitFor();
    expect(await viewer.getByTestId("help-dialog").innerText()).toContain("Picture in picture");
    await viewer.keyboard.press("Escape");
    await viewer.getByTestId("help-dialog").waitFor({ state: "detached" });
  });
  expect(stage.errors).toEqual([]);
});

staged("a picture is saved as the camera sent it", async (stage) => {
  const server = await stage.server();
  await withCameras(server, { door: { size: "1280x720" } }, async (cameras) => {
    const viewer = await stage.page("viewer", server.view, { context: { viewport: { width: 620, height: 800 } } });
    // Shown smaller than it was sent.
    await viewer.locator(`${tile("door")}[data-quality=medium]`).waitFor();
    cameras["door"]?.unplug();
    await viewer.locator(`${tile("door")}[data-online=false]`).waitFor();
    await viewer.hover(tile("door"));
    const [download] = await Promise.all([viewer.waitForEvent("download"), viewer.getByTestId("snapshot").click()]);
    expect(download.suggestedFilename()).toMatch(/^door-\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d\.jpg$/);
    const saved = await readFile(await download.path());
    const served = await (await fetch(new URL("/api/cameras/door/frame.jpg", server.view))).arrayBuffer();
    expect(Buffer.compare(saved, Buffer.from(served))).toBe(0);
  });
  expect(stage.errors).toEqual([]);
});

staged("a camera floats in a window of its own, and is sent though its tile is out of sight", async (stage) => {
  const server = await stage.server();
  await withCameras(server, some(2), async () => {
    const viewer = await stage.page("viewer", server.view);
    await pictures(viewer, ["cam1", "cam2"]);
    await viewer.hover(tile("cam1"));
    await viewer.locator(`${tile("cam1")} [data-testid=pip]`).click();
    await viewer.locator(`${tile("cam1")} [data-testid=pip][aria-pressed=true]`).waitFor();
    await viewer.goto(new URL("#camera=cam2", server.view).href);
    await viewer.locator(`${tile("cam2")}[data-large=true]`).waitFor();
    await viewer.waitForTimeout(1_000);
    expect((await measure(viewer, "cam1", 2)).fps).toBeGreaterThan(7);
    // What floats is the camera, and moves.
    const look = (): Promise<string> =>
      viewer.evaluate(() => {
        const copy = document.createElement("canvas");
        copy.width = 64;
        copy.height = 48;
        const context = copy.getContext("2d");
        context?.drawImage(document.pictureInPictureElement as HTMLVideoElement, 0, 0, 64, 48);
        return [...(context?.getImageData(0, 0, 64, 48).data ?? [])].join();
      });
    const first = await look();
    expect(first).toMatch(/\b1\d\d\b/);
    await eventually("another picture in the floating window", async () => (await look()) !== first);
    await viewer.evaluate(() => document.exitPictureInPicture());
    await eventually("nothing sent of what is neither seen nor floats", async () => (await measure(viewer, "cam1", 1)).fps === 0);
  });
  expect(stage.errors).toEqual([]);
});

staged("frames stream over MJPEG where it is asked for, and the rest of many cameras is polled", async (stage) => {
  const server = await stage.server();
  await withCameras(server, some(6), async (cameras) => {
    const viewer = await stage.page("viewer", new URL("?transport=mjpeg", server.view));
    await viewer.locator("[data-testid=viewer][data-transport=mjpeg]").waitFor();
    expect(await viewer.getByTestId("link").innerText()).toContain("MJPEG");
    await pictures(viewer, Object.keys(cameras));
    await viewer.waitForTimeout(1_000);
    const measured = await measure(viewer, "cam1", 3);
    console.log(`MJPEG: ${measured.fps.toFixed(2)} of 10 fps shown; age p50 ${measured.ageP50.toFixed(1)} ms`);
    expect(measured.fps).toBeGreaterThan(8);
    expect((await measure(viewer, "cam6", 3)).fps).toBeGreaterThan(1);
  });
  expect(stage.errors).toEqual([]);
});

staged("MJPEG takes over where no WebSocket can be opened", async (stage) => {
  const server = await stage.server();
  await withCameras(server, { door: {} }, () =>
    behindProxy(server.view, () => false, async (address) => {
      const viewer = await stage.page("viewer", address);
      await viewer.locator("[data-testid=viewer][data-transport=mjpeg]").waitFor({ timeout: 30_000 });
      await pictures(viewer, ["door"]);
      expect((await measure(viewer, "door", 2)).fps).toBeGreaterThan(7);
      // The clock is known to half of the quickest round trip: a millisecond or two, more on a busy machine.
      const age = (await viewerStats(viewer)).cameras["door"]?.ageP50;
      expect(age).toBeGreaterThan(-25);
      expect(age).toBeLessThan(500);
    }),
  );
});

staged("polls take over where something holds MJPEG back, too", async (stage) => {
  const server = await stage.server();
  await withCameras(server, { door: {} }, () =>
    behindProxy(server.view, (path) => path.includes("stream.mjpeg"), async (address) => {
      const viewer = await stage.page("viewer", address);
      await viewer.locator("[data-testid=viewer][data-transport=rest]").waitFor({ timeout: 30_000 });
      await eventually("frames", async () => ((await viewerStats(viewer)).cameras["door"]?.shown ?? 0) > 10);
    }),
  );
});

staged("pictures are drawn on the page's own thread where it has no canvas for workers", async (stage) => {
  const server = await stage.server();
  await withCameras(server, { door: {} }, async () => {
    const viewer = await stage.page("viewer", server.view, { before: (page) => page.addInitScript(() => Reflect.deleteProperty(globalThis, "OffscreenCanvas")) });
    await pictures(viewer, ["door"]);
    expect((await viewerStats(viewer)).thread).toBe("page");
    expect((await measure(viewer, "door", 2)).fps).toBeGreaterThan(7);
  });
  expect(stage.errors).toEqual([]);
});
