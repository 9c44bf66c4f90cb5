// The performance panel, as a person uses it.

import { expect } from "vitest";
import { expectAccessible, LOOKS, screenshot } from "./looks.ts";
import { eventually, staged } from "./stage.ts";

staged("charts, tables and a copy tell how page and server do", async (stage) => {
  const server = await stage.server([], undefined, "demo");
  const viewer = await stage.page("viewer", server.view, { context: { viewport: LOOKS.laptop } });
  await viewer.locator("[data-camera=demo-clock][data-live=true]").waitFor();
  const loaded = await viewer.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name));
  expect(loaded.filter((name) => name.includes("panel")), "before it is asked for").toEqual([]);

  await viewer.getByTestId("panel-open").focus();
  await viewer.keyboard.press("Enter");
  const panel = viewer.getByTestId("panel");
  await panel.waitFor();
  expect(await panel.evaluate((element) => element.contains(document.activeElement))).toBe(true);
  await eventually("some seconds", async () => Number(await panel.getAttribute("data-samples")) >= 5);

  const shownHere = viewer.getByTestId("table-fps").getByRole("row", { name: /^Shown here/ });
  const fps = Number(await shownHere.getByRole("cell").first().innerText());
  console.log(`panel: ${fps} fps shown of two cameras with 30`);
  expect(fps).toBeGreaterThan(5);
  expect(fps).toBeLessThan(70);
  expect(await viewer.getByTestId("plot-fps").getAttribute("aria-label")).toMatch(/^Frames a second: Received by the server [\d.]+ fps, .*Shown here [\d.]+ fps$/);
  expect(Number(await viewer.getByTestId("table-age").getByRole("cell").nth(1).innerText())).toBeGreaterThan(0);
  const drawn = await viewer.getByTestId("plot-fps").locator("canvas").evaluate((canvas) => {
    const { width, height } = canvas as HTMLCanvasElement;
    return (canvas as HTMLCanvasElement).getContext("2d")?.getImageData(0, 0, width, height).data.some((value) => value > 0) === true;
  });
  expect(drawn).toBe(true);

  await viewer.getByTestId("panel-view").selectOption("demo-bars");
  await eventually("one camera's fps", async () => {
    const now = Number(await shownHere.getByRole("cell").first().innerText());
    return now > 2 && now < 36;
  });
  expect(await viewer.getByTestId("panel-viewers").innerText()).toBe("1 viewer");

  await screenshot(viewer, "panel-light");
  await viewer.emulateMedia({ colorScheme: "dark" });
  await viewer.waitForTimeout(300);
  await screenshot(viewer, "panel-dark");
  await viewer.setViewportSize(LOOKS.phone);
  await viewer.waitForTimeout(300);
  await screenshot(viewer, "panel-phone");
  await expectAccessible(viewer);

  await viewer.keyboard.press("Escape");
  await panel.waitFor({ state: "detached" });
  expect(await viewer.evaluate(() => document.activeElement?.getAttribute("data-testid"))).toBe("panel-open");
  expect(stage.errors).toEqual([]);
});

for (const lent of [true, false]) {
  staged(`the figures are copied as JSON, ${lent ? "by the browser's clipboard" : "also where a page has no clipboard"}`, async (stage) => {
    const server = await stage.server([], undefined, "demo");
    const viewer = await stage.page("viewer", server.view, {
      context: { permissions: ["clipboard-read", "clipboard-write"] },
      before: (page) => (lent ? Promise.resolve() : page.addInitScript(() => {
        // As on a plain http page that is not on this machine.
        const { clipboard } = navigator;
        Object.defineProperty(navigator, "clipboard", { value: undefined });
        Object.assign(globalThis, { clipboard });
      })),
    });
    await viewer.getByTestId("panel-open").click();
    const panel = viewer.getByTestId("panel");
    await eventually("some seconds", async () => Number(await panel.getAttribute("data-samples")) >= 2);
    await viewer.getByTestId("panel-copy").click();
    await viewer.getByText("Copied", { exact: true }).waitFor();
    const text = await viewer.evaluate(() => (navigator.clipboard ?? (globalThis as unknown as { clipboard: Clipboard }).clipboard).readText());
    const copy = JSON.parse(text) as { samples: { server: { fpsIn: number } }[]; page: Record<string, unknown>; stats: { server: { version: string } } };
    expect(copy.samples.length).toBeGreaterThanOrEqual(2);
    expect(copy.samples.at(-1)?.server.fpsIn).toBeGreaterThan(5);
    expect(Object.keys(copy.page).sort()).toEqual(["demo-bars", "demo-clock"]);
    expect(copy.stats.server.version).toMatch(/^\d+\./);
    expect(stage.errors).toEqual([]);
  });
}
