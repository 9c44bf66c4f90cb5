// What happens when something goes away: server, publisher, camera, network.

import { expect } from "vitest";
import { Server, freePort } from "./server.ts";
import { captureStats, eventually, live, measure, staged, viewerStats } from "./stage.ts";

staged("both pages come back when the server does", async (stage) => {
  const ports = { ingest: await freePort(), view: await freePort() };
  const first = await Server.start(ports);
  try {
    const capture = await stage.page("capture", new URL("?camera=door&autostart=1", first.ingest));
    const viewer = await stage.page("viewer", first.view);
    await live(capture);
    await eventually("first frames", async () => ((await viewerStats(viewer)).cameras["door"]?.shown ?? 0) > 10);

    await first.kill();
    await capture.locator("[data-testid=capture]:not([data-state=live])").waitFor();
    await viewer.locator("[data-testid=viewer]:not([data-link=live])").waitFor();
    expect(await viewer.locator("[data-camera=door]").innerText()).toContain("No connection");
    expect(await capture.getByTestId("state-detail").textContent()).not.toBe("");
    await eventually("the last picture's age", async () => /This is the last picture, [1-9]\d* s old/.test(await viewer.locator("[data-camera=door] [data-testid=tile-words]").innerText()));

    await stage.server([], ports);
    await live(capture, undefined, 20_000);
    await viewer.locator("[data-testid=viewer][data-link=live]").waitFor({ timeout: 20_000 });
    await viewer.locator("[data-camera=door][data-online=true]").waitFor();
    expect((await measure(viewer, "door", 3)).fps).toBeGreaterThan(25);
  } finally {
    await first.kill();
  }
});

staged("a replaced publisher says so and stays away", async (stage) => {
  const server = await stage.server();
  const url = new URL("?camera=door&autostart=1", server.ingest);
  const old = await stage.page("old", url);
  await live(old);
  const young = await stage.page("young", url);
  await live(young);
  await old.locator("[data-testid=capture][data-state=replaced]").waitFor();
  expect(await old.getByTestId("state-title").textContent()).toBe("Replaced");
  // Longer than the first waits of a page that reconnects.
  await young.waitForTimeout(3_000);
  await live(young);
  expect(await old.locator("[data-testid=capture]").getAttribute("data-state")).toBe("replaced");

  await old.getByRole("button", { name: "Take the camera back" }).click();
  await live(old);
  await young.locator("[data-testid=capture][data-state=replaced]").waitFor();
  expect(stage.errors).toEqual([]);
});

staged("an offline camera keeps its last picture and says since when and why", async (stage) => {
  const server = await stage.server();
  const viewer = await stage.page("viewer", server.view);
  const capture = await stage.page("capture", new URL("?camera=door&autostart=1", server.ingest));
  await live(capture);
  await eventually("first frames", async () => ((await viewerStats(viewer)).cameras["door"]?.shown ?? 0) > 10);
  await capture.getByTestId("stop").click();
  await capture.locator("[data-testid=capture][data-state=idle]").waitFor();
  await viewer.locator("[data-camera=door][data-online=false]").waitFor();
  const words = await viewer.locator("[data-camera=door] [data-testid=tile-words]").innerText();
  expect(words).toMatch(/Offline since \d\d:\d\d:\d\d/);
  expect(words).toMatch(/[a-z]+ .*\s· \d+ s ago/);
  const lit = await viewer.locator("[data-camera=door] canvas").evaluate((canvas) => {
    const copy = document.createElement("canvas");
    copy.width = copy.height = 8;
    const context = copy.getContext("2d");
    context?.drawImage(canvas as HTMLCanvasElement, 0, 0, 8, 8);
    return context?.getImageData(0, 0, 8, 8).data.some((value, index) => index % 4 === 1 && value > 60) === true;
  });
  expect(lit).toBe(true);

  await capture.getByTestId("start").click();
  await live(capture);
  await viewer.locator("[data-camera=door][data-online=true]").waitFor();
  expect(stage.errors).toEqual([]);
});

staged("a page that is closed takes its camera offline within a second", async (stage) => {
  const server = await stage.server();
  const viewer = await stage.page("viewer", server.view);
  const capture = await stage.page("capture", new URL("?camera=door&autostart=1", server.ingest));
  await live(capture);
  await viewer.locator("[data-camera=door][data-online=true]").waitFor();
  const closedMs = Date.now();
  await capture.close();
  await viewer.locator("[data-camera=door][data-online=false]").waitFor({ timeout: 5_000 });
  const tookMs = Date.now() - closedMs;
  console.log(`offline ${tookMs} ms after the page was closed`);
  expect(tookMs).toBeLessThan(1_500);
});

staged("a camera that is unplugged is told, and comes back by itself", async (stage) => {
  const server = await stage.server();
  const capture = await stage.page("capture", new URL("?camera=door&autostart=1", server.ingest), {
    before: (page) =>
      page.addInitScript(() => {
        const media = navigator.mediaDevices;
        const open = media.getUserMedia.bind(media);
        media.getUserMedia = async (constraints) => {
          const stream = await open(constraints);
          (globalThis as unknown as { unplug: () => void }).unplug = () => {
            const track = stream.getTracks()[0];
            track?.stop();
            track?.dispatchEvent(new Event("ended"));
          };
          return stream;
        };
      }),
  });
  await live(capture);
  await capture.evaluate(() => (globalThis as unknown as { unplug: () => void }).unplug());
  await capture.locator("[data-testid=capture][data-state=camera-failed]").waitFor();
  expect(await capture.getByTestId("state-detail").textContent()).toContain("unplugged");
  await capture.evaluate(() => navigator.mediaDevices.dispatchEvent(new Event("devicechange")));
  await live(capture);
  expect(stage.errors).toEqual([]);
});

staged("a camera that is refused is explained", async (stage) => {
  const server = await stage.server();
  const capture = await stage.page("capture", new URL("?camera=door&autostart=1", server.ingest), {
    before: (page) =>
      page.addInitScript(() => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
      }),
  });
  await capture.locator("[data-testid=capture][data-state=camera-failed]").waitFor();
  expect(await capture.getByTestId("state-detail").textContent()).toContain("blocked");
  expect((await captureStats(capture)).sent).toBe(0);
  expect(stage.errors).toEqual([]);
});
