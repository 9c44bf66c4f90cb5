// The capture page while nobody looks at it: behind another tab, frozen by the browser, on a computer that sleeps. In
// a real window, where the browser slows what is hidden.

import type { Page } from "playwright-core";
import { expect } from "vitest";
import { captureStats, eventually, live, staged, type Stage } from "./stage.ts";
import type { Server } from "./server.ts";
import { hide, type BrowserWindow } from "./window.ts";

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A page that has been live for some seconds: long enough to be told what its background costs. */
async function publishing(stage: Stage, server: Server, query: string, window: BrowserWindow): Promise<Page> {
  const page = await stage.page("capture", new URL(`?camera=door&autostart=1&fixed=1&${query}`, server.ingest), { window });
  await live(page);
  await eventually("pictures", async () => (await captureStats(page)).sent > 30);
  return page;
}

/** Pictures that the server got from the page, in a second; the hidden page itself is left alone. */
async function arriving(server: Server, seconds: number): Promise<number> {
  const frames = async (): Promise<number> => ((await (await fetch(new URL("/api/cameras/door", server.view))).json()) as { frames: number }).frames;
  const [before, startMs] = [await frames(), performance.now()];
  await pause(seconds * 1000);
  return (((await frames()) - before) * 1000) / (performance.now() - startMs);
}

/** Waits until pictures arrive at nearly full rate, and answers after how long, in milliseconds. */
async function recovered(page: Page, server: Server, withinMs: number): Promise<number> {
  const startMs = performance.now();
  await eventually("pictures at the server again", async () => (await arriving(server, 0.5)) > 20, withinMs);
  const tookMs = performance.now() - startMs;
  await live(page);
  return tookMs;
}

for (const method of ["processor", "video"]) {
  staged(`behind another tab pictures go on at the full rate (${method})`, async (stage) => {
    const server = await stage.server();
    const page = await publishing(stage, server, `method=${method}`, await stage.window());
    const show = await hide(page);
    await pause(3_500);
    const rate = await arriving(server, 5);
    console.log(`${method}, hidden: ${rate.toFixed(1)} fps`);
    // Of 30; a page that is slowed sends one a second.
    expect(rate).toBeGreaterThan(20);
    expect(await page.title()).toBe("● door · framecast");
    await show();
    await pause(500);
    expect(await page.getByTestId("state-detail").innerText()).not.toContain("background");
    expect(stage.errors).toEqual([]);
  });
}

staged("an old browser that is slowed behind another tab still sends, and the page says so", async (stage) => {
  const server = await stage.server();
  const page = await publishing(stage, server, "method=canvas", await stage.window());
  expect(await page.getByTestId("endurance").innerText()).toContain("This browser slows the camera");
  const show = await hide(page);
  await pause(3_500);
  const rate = await arriving(server, 5);
  console.log(`canvas, hidden: ${rate.toFixed(1)} fps`);
  expect(rate).toBeGreaterThan(0.5);
  expect(await page.title()).toMatch(/^◐ slowed to \d+ fps · door$/);
  await show();
  await eventually("words about it", async () => /While this page was in the background, the browser took only [\d.]+ pictures a second/.test(await page.getByTestId("state-detail").innerText()));
  await recovered(page, server, 4_000);
  expect(stage.errors).toEqual([]);
});

staged("the screen is kept on, also after another tab was in front", async (stage) => {
  const server = await stage.server();
  const page = await publishing(stage, server, "", await stage.window());
  const on = page.getByTestId("endurance").filter({ hasText: "The screen stays on." });
  await on.waitFor();
  const show = await hide(page);
  // The browser takes the lock away.
  await on.waitFor({ state: "detached" });
  await show();
  await on.waitFor();
  await page.getByTestId("stop").click();
  await on.waitFor({ state: "detached" });
  expect(stage.errors).toEqual([]);
});

for (const [method, transport] of [["processor", "webrtc"], ["processor", "websocket"], ["video", "webrtc"], ["canvas", "websocket"]] as const) {
  staged(`a page that the browser froze goes on when it is shown (${method} over ${transport})`, async (stage) => {
    const server = await stage.server();
    const page = await publishing(stage, server, `method=${method}&transport=${transport}`, await stage.window());
    const session = await page.context().newCDPSession(page);
    const show = await hide(page);
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    await pause(2_000);
    expect(await arriving(server, 4)).toBe(0);
    await session.send("Page.setWebLifecycleState", { state: "active" });
    await show();
    console.log(`frozen, ${method} over ${transport}: back after ${(await recovered(page, server, 4_000)).toFixed(0)} ms`);
    const position = (): Promise<number> => page.evaluate(() => document.querySelector("video")?.currentTime ?? 0);
    const before = await position();
    await eventually("a preview that moves", async () => (await position()) > before);
    // The browser's own words about the socket that it closed.
    expect(stage.errors.filter((error) => !error.includes("Page entered Back-Forward Cache"))).toEqual([]);
  });
}

for (const transport of ["webrtc", "websocket"] as const) {
  staged(`a computer that slept sends again within seconds (${transport})`, async (stage) => {
    const server = await stage.server();
    const window = await stage.window();
    const page = await publishing(stage, server, `transport=${transport}`, window);
    const processes = await window.renderers();
    for (const id of processes) process.kill(id, "SIGSTOP");
    await pause(2_000);
    expect(await arriving(server, 6)).toBe(0);
    for (const id of processes) process.kill(id, "SIGCONT");
    console.log(`slept, over ${transport}: back after ${(await recovered(page, server, 5_000)).toFixed(0)} ms`);
    expect(stage.errors).toEqual([]);
  });
}

staged("a page that is left says goodbye, and goes on where one comes back to it", async (stage) => {
  const server = await stage.server();
  const page = await publishing(stage, server, "", await stage.window());
  await page.goto(server.view.href);
  await eventually("offline", async () => !((await (await fetch(new URL("/api/cameras/door", server.view))).json()) as { online: boolean }).online, 2_000);
  // Taken out of the browser's cache as it was, a page is not loaded again.
  await page.goBack({ waitUntil: "commit" });
  console.log(`gone back to: sends after ${(await recovered(page, server, 5_000)).toFixed(0)} ms`);
  expect(stage.errors).toEqual([]);
});
