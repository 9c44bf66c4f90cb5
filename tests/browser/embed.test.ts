// The element and the frame page, in pages of another site, as somebody who builds one meets them.

import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { IpCamera, setUp } from "./ip-camera.ts";
import { expectAccessible, screenshot } from "./looks.ts";
import { startSlow } from "./slow.ts";
import { FOREIGN_FLAG, startSite, type Site } from "./site.ts";
import { Server, freePort } from "./server.ts";
import { eventually, staged, type Stage } from "./stage.ts";

const element = (server: URL, attributes = "", script = `<script src="${server.href}framecast-view.js" defer></script>`): string => `<!doctype html><html lang="en"><title>wall</title>
<link rel="icon" href="data:,">${script}
<body style="margin:0"><framecast-view src="${server.origin}" camera="demo-clock" style="width:640px" ${attributes}></framecast-view><div style="height:3000px"></div>`;

/** Counts what the element tells, from before it is there. */
async function listen(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const told = { frames: 0, ages: [] as number[], news: [] as string[] };
    Object.assign(globalThis, { told });
    document.addEventListener("DOMContentLoaded", () => {
      const view = document.querySelector("framecast-view");
      view?.addEventListener("frame", (event) => {
        told.frames += 1;
        told.ages.push((event as CustomEvent<{ ageMs?: number }>).detail.ageMs ?? Number.NaN);
      });
      for (const type of ["online", "offline"]) view?.addEventListener(type, (event) => told.news.push(`${type} ${(event as CustomEvent<{ reason?: string }>).detail.reason ?? ""}`.trim()));
    });
  });
}

interface Told {
  frames: number;
  ages: number[];
  news: string[];
}

const told = (page: Page): Promise<Told> => page.evaluate(() => (globalThis as unknown as { told: Told }).told);
const badge = (page: Page): Promise<string> => page.locator("framecast-view .badge").innerText();

async function site(stage: Stage, pages: Record<string, string>): Promise<Site> {
  const started = await startSite(pages);
  stage.closes(started.stop);
  return started;
}

async function open(stage: Stage, url: string): Promise<Page> {
  return stage.page("wall", url, { browser: await stage.browser(FOREIGN_FLAG), before: listen });
}

async function viewers(server: Server): Promise<number> {
  const answer = (await (await fetch(new URL("api/cameras/demo-clock", server.view))).json()) as { viewers: number };
  return answer.viewers;
}

for (const [transport, least] of [["ws", 25], ["mjpeg", 25], ["rest", 10]] as const) {
  staged(`a page of an allowed site shows a camera by ${transport}`, async (stage) => {
    const pages: Record<string, string> = {};
    const wall = await site(stage, pages);
    const server = await stage.server(["--allow-origin", wall.origin], undefined, "demo");
    // A module, which browsers fetch by other rules than a plain script.
    pages["/"] = element(server.view, `transport="${transport}"`, transport === "mjpeg" ? `<script type="module" src="${server.view.href}framecast-view.js"></script>` : undefined);
    const page = await open(stage, wall.origin);
    await eventually("LIVE", async () => (await badge(page)) === "LIVE");
    const before = (await told(page)).frames;
    await page.waitForTimeout(3_000);
    const after = await told(page);
    const ages = after.ages.slice(before).sort((a, b) => a - b);
    const fps = (after.frames - before) / 3;
    console.log(`element by ${transport}: ${fps.toFixed(1)} fps; age p50 ${ages[ages.length >> 1]?.toFixed(1)} ms`);
    expect(fps).toBeGreaterThan(least);
    expect(ages[ages.length >> 1]).toBeLessThan(200);
    expect(after.news).toEqual(["online"]);
    expect(await page.locator("framecast-view canvas").getAttribute("aria-label")).toBe("Demo: clock: LIVE");
    expect(stage.errors).toEqual([]);
  });
}

for (const transport of ["auto", "rest"]) {
  staged(`a page of a site that is not allowed says what to do (${transport})`, async (stage) => {
    const pages: Record<string, string> = {};
    const wall = await site(stage, pages);
    const server = await stage.server([], undefined, "demo");
    pages["/"] = element(server.view, `transport="${transport}"`);
    const page = await open(stage, wall.origin);
    const words = page.locator("framecast-view .words");
    await eventually("the refusal", async () => (await words.innerText()).includes("refuses this page"));
    expect(await words.innerText()).toContain(`--allow-origin ${wall.origin}`);
    expect((await told(page)).news.join()).toContain("--allow-origin");
  });
}

staged("MJPEG waits for an IP camera that takes its time, and says so", async (stage) => {
  const server = await stage.server();
  const camera = await IpCamera.start("--size", "640x360");
  stage.closes(() => camera.unplug());
  const slow = await startSlow(Number(camera.url.port), 7_000);
  stage.closes(slow.stop);
  const url = new URL(camera.url);
  url.port = String(slow.port);
  await setUp(server, "gate", { source: { type: "rtsp", url: url.href } });
  const page = await open(stage, new URL("embed/gate?transport=mjpeg", server.view).href);
  await page.getByText("Connecting to the camera").waitFor();
  await eventually("LIVE", async () => (await badge(page)) === "LIVE", 20_000);
  expect((await told(page)).news.map((news) => news.split(" ")[0])).toEqual(["offline", "online"]);
  expect(slow.connections()).toBe(1);
  expect(stage.errors).toEqual([]);
});

staged("it costs nothing out of sight, and goes on where it is scrolled back to", async (stage) => {
  const pages: Record<string, string> = {};
  const wall = await site(stage, pages);
  const server = await stage.server(["--allow-origin", wall.origin], undefined, "demo");
  pages["/"] = element(server.view);
  const page = await open(stage, wall.origin);
  await eventually("a viewer", async () => (await viewers(server)) === 1);
  await page.evaluate(() => scrollTo(0, 2_000));
  await eventually("nobody watches", async () => (await viewers(server)) === 0);
  const standing = (await told(page)).frames;
  await page.evaluate(() => scrollTo(0, 0));
  await eventually("frames again", async () => (await told(page)).frames > standing + 20);
  await page.evaluate(() => document.querySelector("framecast-view")?.remove());
  await eventually("nobody watches a page without it", async () => (await viewers(server)) === 0);
  expect(stage.errors).toEqual([]);
});

staged("it keeps its picture while the server is away, and comes back with it", async (stage) => {
  const pages: Record<string, string> = {};
  const wall = await site(stage, pages);
  const ports = { ingest: await freePort(), view: await freePort() };
  const flags = ["--allow-origin", wall.origin];
  const first = await Server.start(ports, flags, "demo");
  try {
    pages["/"] = element(first.view);
    const page = await open(stage, wall.origin);
    await eventually("LIVE", async () => (await badge(page)) === "LIVE");
    await first.kill();
    await page.getByText("No connection to the server").waitFor();
    await eventually("an age", async () => /^\d+ s old$/.test(await badge(page)));
    await stage.server(flags, ports, "demo");
    await eventually("LIVE again", async () => (await badge(page)) === "LIVE", 30_000);
    expect((await told(page)).news.map((news) => news.split(" ")[0])).toEqual(["online", "offline", "online"]);
  } finally {
    await first.kill();
  }
});

staged("the frame page shows a camera inside a page of any site", async (stage) => {
  const pages: Record<string, string> = {};
  const wall = await site(stage, pages);
  const server = await stage.server([], undefined, "demo");
  const frame = new URL("embed/demo-clock?fit=cover", server.view);
  pages["/"] = `<!doctype html><html lang="en"><title>wall</title><link rel="icon" href="data:,"><iframe title="camera" src="${frame.href}" width="640" height="360"></iframe>`;
  const page = await stage.page("wall", wall.origin, { browser: await stage.browser(FOREIGN_FLAG) });
  const view = page.frameLocator("iframe").locator("framecast-view");
  await eventually("LIVE", async () => (await view.locator(".badge").innerText()) === "LIVE");
  expect(await view.boundingBox()).toMatchObject({ width: 640, height: 360 });
  expect(await view.getAttribute("fit")).toBe("cover");
  // The element inside, which a page around cannot look into.
  await page.goto(frame.href);
  await eventually("LIVE by itself", async () => (await badge(page)) === "LIVE");
  await screenshot(page, "embed-live");
  await expectAccessible(page);
  await page.goto(new URL("embed/nobody", server.view).href);
  await page.getByText("Nobody has published this camera yet").waitFor();
  await screenshot(page, "embed-unknown");
  await expectAccessible(page);
  expect(stage.errors).toEqual([]);
});

staged("the example page works once it names the server", async (stage) => {
  const example = await readFile(new URL("../../embed-web/example.html", import.meta.url), "utf8");
  const pages: Record<string, string> = {};
  const wall = await site(stage, pages);
  const server = await stage.server(["--allow-origin", wall.origin], undefined, "demo");
  expect(example).toContain("http://127.0.0.1:8081");
  pages["/"] = example.replaceAll("http://127.0.0.1:8081", server.view.origin);
  const page = await open(stage, wall.origin);
  await page.getByText("Demo: clock is online.").waitFor();
  await eventually("LIVE in the frame", async () => (await page.frameLocator("iframe").locator(".badge").innerText()) === "LIVE");
  await page.waitForTimeout(500);
  expect(stage.errors).toEqual([]);
});
