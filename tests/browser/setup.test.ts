// Setting IP cameras up on the viewer page, as a person does it, against the real server.

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { withCameras } from "./cameras.ts";
import { IpCamera, setUp } from "./ip-camera.ts";
import { expectAccessible, LOOKS, screenshot } from "./looks.ts";
import { freePort } from "./server.ts";
import { eventually, staged } from "./stage.ts";
import { TlsProxy } from "./tls-proxy.ts";

const field = (page: Page, name: string) => page.locator(`[data-field=${name}]`);
const row = (page: Page, id: string) => page.locator(`[data-testid=setup-row][data-camera=${id}]`);

/** Opens the form and says where the camera is. */
async function fill(page: Page, name: string, host: string, port: number): Promise<void> {
  await page.getByTestId("setup-add").click();
  await field(page, "name").fill(name);
  await field(page, "host").fill(host);
  await field(page, "port").fill(String(port));
}

/** What Chromium itself writes of an answer that is not one of success. */
const unexpected = (errors: readonly string[]): string[] => errors.filter((error) => !error.includes("Failed to load resource"));

staged("a camera is added, changed, kept over a restart, and removed", async (stage) => {
  const folder = await mkdtemp(join(tmpdir(), "framecast-setup-"));
  stage.closes(() => rm(folder, { recursive: true }));
  const ports = { ingest: await freePort(), view: await freePort() };
  const flags = ["--data-dir", folder];
  const server = await stage.server(flags, ports);
  const page = await stage.page("viewer", server.view);
  await page.getByTestId("setup-link").click();
  await page.getByTestId("setup-none").waitFor();
  expect(new URL(page.url()).hash).toBe("#setup");

  await fill(page, "Front door", "127.0.0.1", await freePort());
  expect(await field(page, "id").inputValue()).toBe("front-door");
  await field(page, "preset").selectOption("axis");
  expect(await field(page, "path").inputValue()).toBe("/axis-media/media.amp");
  await field(page, "username").fill("admin");
  await field(page, "password").fill("hunter2");
  await page.getByTestId("camera-save").click();
  await row(page, "front-door").waitFor();
  expect(await row(page, "front-door").innerText()).toContain("/axis-media/media.amp");

  await row(page, "front-door").getByTestId("setup-edit").click();
  expect(await field(page, "password").inputValue()).toBe("");
  expect(await page.getByTestId("hint-password").innerText()).toContain("Empty leaves it as it is");
  await field(page, "name").fill("Back door");
  await field(page, "location").fill("Hall");
  await page.getByTestId("camera-save").click();
  await eventually("the new name", async () => (await row(page, "front-door").innerText()).includes("Back door"));
  const kept = (await (await fetch(new URL("/api/cameras/front-door", server.view))).json()) as { location: string; source: { has_password: boolean } };
  expect(kept).toMatchObject({ location: "Hall", source: { has_password: true } });

  await server.kill();
  await page.getByTestId("setup-trouble").waitFor();
  await stage.server(flags, ports);
  await page.getByTestId("setup-trouble").waitFor({ state: "detached" });
  expect(await row(page, "front-door").innerText()).toContain("Back door");

  await row(page, "front-door").getByTestId("setup-remove").click();
  await page.getByTestId("setup-remove-dialog-close").click();
  expect(await row(page, "front-door").count()).toBe(1);
  await row(page, "front-door").getByTestId("setup-remove").click();
  await page.getByTestId("setup-remove-yes").click();
  await page.getByTestId("setup-none").waitFor();
  expect(unexpected(stage.errors)).toEqual([]);
});

staged("a camera that only published can be removed once it is gone", async (stage) => {
  const server = await stage.server();
  await withCameras(server, { visitor: {} }, async () => {
    const page = await stage.page("viewer", new URL("#setup", server.view));
    await row(page, "visitor").waitFor();
    expect(await row(page, "visitor").getByTestId("setup-remove").count()).toBe(0);
  });
  const page = await stage.page("viewer", new URL("#setup", server.view));
  await row(page, "visitor").getByTestId("setup-remove").click();
  expect(await page.getByTestId("setup-remove-dialog").innerText()).toContain("as soon as it publishes");
  await page.getByTestId("setup-remove-yes").click();
  await page.getByTestId("setup-none").waitFor();
  expect(unexpected(stage.errors)).toEqual([]);
});

staged("what is wrong is said at its field, by the page and by the server", async (stage) => {
  const server = await stage.server();
  await setUp(server, "front-door", { source: { type: "push" } });
  const page = await stage.page("viewer", new URL("#setup", server.view));
  await page.getByTestId("setup-add").click();
  await page.getByTestId("camera-save").click();
  expect(await page.getByTestId("hint-id").innerText()).toContain("Give it an id");
  expect(await field(page, "host").getAttribute("aria-invalid")).toBe("true");
  // The first of them has the focus, and says so to those who listen.
  await eventually("the focus", () => page.evaluate(() => document.activeElement?.getAttribute("data-field") === "id"));

  await field(page, "id").fill("front-door");
  await field(page, "host").fill("169.254.169.254");
  await page.getByTestId("camera-save").click();
  await eventually("the server's words", async () => (await page.locator("[data-error=true]").allInnerTexts()).join().includes("link-local") || (await page.getByTestId("hint-id").innerText()).includes("already"));
  await field(page, "id").fill("yard");
  await page.getByTestId("camera-save").click();
  await eventually("the address refused", async () => (await page.getByTestId("hint-host").innerText()).includes("link-local"));
  await field(page, "host").fill("127.0.0.1");
  expect(await field(page, "host").getAttribute("aria-invalid")).toBe("false");
  await page.getByTestId("camera-save").click();
  await row(page, "yard").waitFor();
  expect(unexpected(stage.errors)).toEqual([]);
});

staged("a test says in words why there is no picture", async (stage) => {
  const server = await stage.server();
  const page = await stage.page("viewer", new URL("#setup", server.view));
  await fill(page, "Door", "127.0.0.1", await freePort());
  await page.getByTestId("camera-test").click();
  await page.locator("[data-testid=outcome][data-kind=failed]").waitFor({ timeout: 20_000 });
  const words = await page.getByTestId("outcome").innerText();
  expect(words).toMatch(/refuses connections/);
  // Trying is no error of the page, nor of the network.
  expect(stage.errors).toEqual([]);
});

staged("a test tells nothing of an address that is another meanwhile", async (stage) => {
  const server = await stage.server();
  const page = await stage.page("viewer", new URL("#setup", server.view));
  // A camera that takes its time, and then is none.
  const slow = createServer((socket) => setTimeout(() => socket.destroy(), 4_000)).listen(0, "127.0.0.1");
  stage.closes(async () => slow.close());
  await once(slow, "listening");
  await fill(page, "Door", "127.0.0.1", (slow.address() as AddressInfo).port);
  const answered = page.waitForResponse((response) => response.url().endsWith("/api/camera-test"));
  await page.getByTestId("camera-test").click();
  await page.locator("[data-testid=outcome][data-kind=testing]").waitFor();
  await field(page, "path").fill("/other");
  await (await answered).finished();
  await page.waitForTimeout(300);
  expect(await page.getByTestId("outcome").getAttribute("data-kind")).toBe("none");
  expect(stage.errors).toEqual([]);
});

staged("a camera that has signed its certificate by itself is trusted once a person has seen the fingerprint", async (stage) => {
  const server = await stage.server();
  const camera = await IpCamera.start("--size", "320x240", "--fps", "15");
  stage.closes(() => camera.unplug());
  const encrypted = await TlsProxy.start(Number(camera.url.port));
  stage.closes(() => encrypted.close());
  const page = await stage.page("viewer", new URL("#setup", server.view));
  await page.getByTestId("setup-add").click();
  await field(page, "name").fill("Door");
  await field(page, "host").fill(`rtsps://127.0.0.1:${encrypted.port}${camera.url.pathname}`);
  await page.getByTestId("camera-test").click();
  await page.getByTestId("trust").waitFor({ timeout: 20_000 });
  expect(await page.getByTestId("outcome").innerText()).toContain(encrypted.fingerprint);
  await screenshot(page, "setup-untrusted");
  await expectAccessible(page);

  await page.getByTestId("trust").click();
  expect(await field(page, "fingerprint").inputValue()).toBe(encrypted.fingerprint);
  await page.getByTestId("camera-test").click();
  await page.locator("[data-testid=outcome][data-kind=found]").waitFor({ timeout: 20_000 });
  await page.getByTestId("camera-save").click();
  await row(page, "door").getByTestId("setup-edit").click();
  expect(await field(page, "fingerprint").inputValue()).toBe(encrypted.fingerprint);
  await field(page, "url").fill("rtsp://127.0.0.1/");
  expect(await field(page, "fingerprint").count()).toBe(0);
  expect(stage.errors).toEqual([]);
});

staged("a test tells what a camera sends, and when its password is wrong; the camera can be started and stopped", async (stage) => {
  const server = await stage.server();
  const camera = await IpCamera.start("--size", "320x240", "--fps", "15", "--user", "admin", "--password", "hunter2");
  stage.closes(() => camera.unplug());
  const page = await stage.page("viewer", new URL("#setup", server.view));
  await fill(page, "Door", camera.url.hostname, Number(camera.url.port));
  await field(page, "username").fill("admin");
  await field(page, "password").fill("wrong");
  await page.getByTestId("camera-test").click();
  await page.locator("[data-testid=outcome][data-kind=failed]").waitFor({ timeout: 20_000 });
  expect(await page.getByTestId("outcome").innerText()).toMatch(/password/i);

  await field(page, "password").fill("hunter2");
  await page.getByTestId("camera-test").click();
  await page.locator("[data-testid=outcome][data-kind=found]").waitFor({ timeout: 20_000 });
  expect(await page.getByTestId("outcome").innerText()).toMatch(/It works: H\.264, 320×240, 1[3-7] fps, no sound/);
  await page.getByTestId("camera-save").click();

  // With the password that the server keeps.
  await row(page, "door").getByTestId("setup-edit").click();
  await page.getByTestId("camera-test").click();
  await page.locator("[data-testid=outcome][data-kind=found]").waitFor({ timeout: 20_000 });
  await page.keyboard.press("Escape");

  await page.locator("[data-testid=setup-row][data-state='Standing by']").waitFor();
  await row(page, "door").getByTestId("setup-start").click();
  await page.locator("[data-testid=setup-row][data-state=Live]").waitFor();
  await eventually("its figures", async () => /RTSP · H\.264 · 320×240 · 1\d\sfps/.test(await row(page, "door").getByTestId("setup-facts").innerText()));
  await row(page, "door").getByTestId("setup-stop").click();
  await page.locator("[data-testid=setup-row][data-state=Stopped]").waitFor();
  expect(stage.errors).toEqual([]);
});

staged("who may not change cameras sees why, and what to do", async (stage) => {
  const server = await stage.server(["--manage-from", "192.0.2.0/24"]);
  const page = await stage.page("viewer", new URL("#setup", server.view));
  await page.getByTestId("setup-not-allowed").waitFor();
  expect(await page.getByTestId("setup-not-allowed").innerText()).toContain("--manage-from");
  expect(await page.getByTestId("setup-add").isDisabled()).toBe(true);
  expect(stage.errors).toEqual([]);
});

for (const look of ["phone", "laptop", "4k"] as const) {
  staged(`setting up on a ${look}: empty, a list, the form, a question; for everybody`, async (stage) => {
    const server = await stage.server();
    const phone = look === "phone";
    const page = await stage.page(look, new URL("#setup", server.view), { context: { viewport: LOOKS[look], hasTouch: phone, isMobile: phone } });
    const see = async (state: string): Promise<void> => {
      await screenshot(page, `setup-${state}-${look}`);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      await expectAccessible(page);
    };
    await page.getByTestId("setup-none").waitFor();
    await see("empty");
    await setUp(server, "front-door", { name: "Front door", location: "Hall", source: { type: "rtsp", host: "127.0.0.1", port: await freePort(), username: "admin", password: "x" } });
    await setUp(server, "garage", { source: { type: "mjpeg", url: "http://192.0.2.77/cgi-bin/video.mjpg?channel=12345678901234567890&quality=high&size=1920x1080" } });
    await setUp(server, "phone", { name: "Somebody's phone", source: { type: "push" } });
    await row(page, "phone").waitFor();
    await see("list");
    await row(page, "front-door").getByTestId("setup-edit").click();
    await page.locator("summary").click();
    await see("form");
    await page.keyboard.press("Escape");
    await row(page, "front-door").getByTestId("setup-remove").click();
    await see("remove");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await page.getByTestId("wall").waitFor();
    expect(unexpected(stage.errors)).toEqual([]);
  });
}
