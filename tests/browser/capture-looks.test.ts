// How the capture page looks in each of its states, what it says there, and that everybody can use it.

import type { Page } from "playwright-core";
import { expect } from "vitest";
import { FAKE_CAMERA, live, staged, type Stage } from "./stage.ts";
import { expectAccessible, LOOKS, screenshot, type Look } from "./looks.ts";
import { freePort, Server } from "./server.ts";

async function look(page: Page, state: string): Promise<void> {
  await expectAccessible(page);
  for (const size of Object.keys(LOOKS) as Look[]) {
    await page.setViewportSize(LOOKS[size]);
    await page.waitForTimeout(200);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(overflow, `pixels that stick out at ${size}`).toBeLessThanOrEqual(0);
    await screenshot(page, `capture-${state}-${size}`);
  }
  await page.setViewportSize(LOOKS.laptop);
  await page.emulateMedia({ colorScheme: "dark" });
  await screenshot(page, `capture-${state}-dark`);
  await page.emulateMedia({ colorScheme: null });
}

function trouble(page: Page, kind: string): Promise<void> {
  return page.locator(`[data-testid=capture][data-state=camera-failed][data-trouble=${kind}]`).waitFor();
}

async function advice(page: Page): Promise<string> {
  return page.getByTestId("advice").innerText();
}

staged("idle", async (stage) => {
  const server = await stage.server();
  const page = await stage.page("capture", server.ingest);
  await page.getByTestId("start").waitFor();
  await look(page, "idle");
  expect(stage.errors).toEqual([]);
});

staged("live, with every number there", async (stage) => {
  const server = await stage.server();
  const page = await stage.page("capture", new URL("?camera=door&name=Front+door&autostart=1", server.ingest));
  await live(page);
  await page.getByTestId("received-fps").filter({ hasText: /\d fps/ }).waitFor();
  await page.getByTestId("server-age").filter({ hasText: /\d/ }).waitFor();
  await page.getByTestId("round-trip").filter({ hasText: /\d ms/ }).waitFor();
  expect(await page.getByTestId("signaling").innerText()).toBe("open");
  expect(await page.getByTestId("ice").innerText()).toBe("connected");
  expect(await page.getByTestId("channel").innerText()).toBe("open");
  expect(await page.getByTestId("path").innerText()).toBe("WebRTC");
  expect(await page.getByTestId("lost").innerText()).toMatch(/^\d+$/);
  await look(page, "live");
  expect(stage.errors).toEqual([]);
});

staged("a camera that the person blocks: what to press, and it starts when they allow it", async (stage) => {
  const server = await stage.server();
  // An empty list of permissions denies them all.
  const page = await stage.page("capture", new URL("?camera=door&autostart=1", server.ingest), {
    browser: await stage.bareBrowser(FAKE_CAMERA),
    context: { permissions: [] },
  });
  await trouble(page, "denied");
  expect(await advice(page)).toContain("set Camera to Allow");
  await look(page, "denied");
  await page.context().grantPermissions(["camera"]);
  await live(page);
  expect(stage.errors).toEqual([]);
});

staged("no camera at all", async (stage) => {
  const server = await stage.server();
  const page = await stage.page("capture", new URL("?camera=door&autostart=1", server.ingest), {
    browser: await stage.bareBrowser("--use-fake-ui-for-media-stream"),
  });
  await trouble(page, "none");
  expect(await advice(page)).toContain("Plug a camera in");
  await look(page, "no-camera");
  expect(stage.errors).toEqual([]);
});

staged("a camera that another program holds is tried again until it is free", async (stage) => {
  const server = await stage.server();
  const page = await stage.page("capture", new URL("?camera=door&autostart=1", server.ingest), {
    before: (opened) =>
      opened.addInitScript(() => {
        const media = navigator.mediaDevices;
        const open = media.getUserMedia.bind(media);
        // Chromium's own words; its fake camera is never taken.
        media.getUserMedia = () => Promise.reject(new DOMException("Could not start video source", "NotReadableError"));
        Object.assign(globalThis, { release: () => (media.getUserMedia = open) });
      }),
  });
  await trouble(page, "in-use");
  expect(await advice(page)).toContain("a video call");
  await look(page, "in-use");
  await page.evaluate(() => (globalThis as unknown as { release: () => void }).release());
  await live(page);
  expect(stage.errors).toEqual([]);
});

async function insecurePage(stage: Stage): Promise<Page> {
  const ports = { ingest: await freePort(), view: await freePort() };
  const origin = `http://cams.example.org:${ports.ingest}`;
  await stage.server(["--allow-origin", origin], ports);
  return stage.page("capture", origin, { browser: await stage.browser("--host-resolver-rules=MAP cams.example.org 127.0.0.1") });
}

staged("an insecure page says so before anything is pressed, and where to go instead", async (stage) => {
  const page = await insecurePage(stage);
  await trouble(page, "insecure");
  const words = await advice(page);
  const port = new URL(page.url()).port;
  expect(words).toContain(`http://localhost:${port}/`);
  expect(words).toContain(`adb reverse tcp:${port} tcp:${port}`);
  expect(await page.getByTestId("start").isDisabled()).toBe(true);
  await look(page, "insecure");
  // Chromium itself complains on such pages about a header that guards the secure ones.
  expect(stage.errors.filter((error) => !error.includes("Cross-Origin-Opener-Policy"))).toEqual([]);
});

staged("reconnecting", async (stage) => {
  const server = await Server.start();
  try {
    const page = await stage.page("capture", new URL("?camera=door&autostart=1", server.ingest));
    await live(page);
    await server.kill();
    await page.locator("[data-testid=capture][data-state=reconnecting]").waitFor();
    expect(await page.getByTestId("state-detail").innerText()).not.toBe("");
    await look(page, "reconnecting");
  } finally {
    await server.kill();
  }
});
