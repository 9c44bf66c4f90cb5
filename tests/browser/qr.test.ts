// The QR code that takes a phone to the capture page: read as a phone reads it.

import jsQR from "jsqr";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { expectAccessible, LOOKS, screenshot } from "./looks.ts";
import { eventually, live, staged } from "./stage.ts";

/** What a reader sees on the screen. */
async function scan(page: Page): Promise<string | undefined> {
  const picture = (await page.getByTestId("qr-code").screenshot()).toString("base64");
  const { gray, width, height } = await page.evaluate(async (png) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(png), (character) => character.charCodeAt(0))]));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d");
    context?.drawImage(bitmap, 0, 0);
    const { data } = context?.getImageData(0, 0, bitmap.width, bitmap.height) ?? { data: [] };
    return { gray: Array.from({ length: data.length / 4 }, (_, pixel) => String.fromCharCode(data[pixel * 4] ?? 0)).join(""), width: bitmap.width, height: bitmap.height };
  }, picture);
  const pixels = Uint8ClampedArray.from({ length: gray.length * 4 }, (_, at) => (at % 4 === 3 ? 255 : gray.charCodeAt(at >> 2)));
  return jsQR(pixels, width, height)?.data;
}

staged("a server that only this machine reaches says how to let a phone in", async (stage) => {
  const server = await stage.server();
  const viewer = await stage.page("viewer", server.view, { context: { viewport: LOOKS.laptop } });
  await viewer.getByTestId("qr-open").click();
  await viewer.getByTestId("qr-loopback").waitFor();
  expect(await viewer.getByTestId("qr-loopback").innerText()).toContain(`--ingest-addr 0.0.0.0:${server.ingest.port}`);
  expect(await viewer.getByTestId("qr-code").count()).toBe(0);
  await screenshot(viewer, "qr-loopback");
  await expectAccessible(viewer);
  expect(stage.errors).toEqual([]);
});

staged("the code leads to the capture page by an address that a phone reaches, and warns of plain http", async (stage) => {
  // An address of this machine that is none of loopback's names; 192.0.2.7 stands for it, as for a phone.
  const server = await stage.server(["--ice-candidate", "192.0.2.7:9000", "--ice-candidate", "[2001:db8::7]:9000"], undefined, "demo");
  const viewer = await stage.page("viewer", server.view, { context: { viewport: LOOKS.laptop, colorScheme: "dark" } });
  await viewer.locator("[data-camera=demo-clock]").waitFor();
  await viewer.getByTestId("qr-open").click();
  await viewer.getByTestId("qr-code").waitFor();
  expect(await scan(viewer)).toBe("http://192.0.2.7:9000/?camera=phone");
  expect(await viewer.getByTestId("qr-insecure").innerText()).toContain("chrome://flags/#unsafely-treat-insecure-origin-as-secure");

  await viewer.getByLabel("Camera id").fill("back.yard");
  await eventually("the new id in the code", async () => (await scan(viewer)) === "http://192.0.2.7:9000/?camera=back.yard");
  await viewer.getByLabel("Camera id").fill("demo-clock");
  await viewer.getByText("There is a camera with this id").waitFor();
  await viewer.getByLabel("Camera id").fill("no spaces");
  await viewer.getByTestId("qr-code").waitFor({ state: "detached" });
  await viewer.getByLabel("Camera id").fill("phone");
  await viewer.getByLabel("address in the phone").selectOption({ label: "[2001:db8::7]:9000" });
  expect(await scan(viewer)).toBe("http://[2001:db8::7]:9000/?camera=phone");

  await screenshot(viewer, "qr-dark");
  await expectAccessible(viewer);
  await viewer.setViewportSize(LOOKS.phone);
  await screenshot(viewer, "qr-phone");
  await viewer.getByTestId("qr-close").click();
  await viewer.getByTestId("qr").waitFor({ state: "detached" });
  expect(stage.errors).toEqual([]);
});

staged("what the code says opens, and becomes a camera", async (stage) => {
  const server = await stage.server();
  // As a proxy with TLS would be met: another name, by which a browser lends its camera.
  const viewer = await stage.page("viewer", server.view);
  await viewer.route("**/api/info", async (route) => {
    const info = (await (await route.fetch()).json()) as object;
    await route.fulfill({ json: { ...info, ingest_addresses: [server.ingest.host] } });
  });
  await viewer.getByTestId("qr-open").click();
  await viewer.getByTestId("qr-code").waitFor();
  const address = await scan(viewer);
  if (address === undefined) throw new Error("the code cannot be read");
  const phone = await stage.page("phone", address);
  await phone.getByTestId("start").click();
  await live(phone);
  await viewer.getByTestId("qr-close").click();
  await viewer.locator("[data-camera=phone][data-online=true]").waitFor();
});
