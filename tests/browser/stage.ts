// What every browser test needs: browsers with a fake camera, pages whose console is watched, screenshots of
// what failed, and an end to everything that was opened.
//
// Capture page and viewer page run in browser processes of their own. In one window only the tab in front is
// drawn: the other's timers and frame callbacks are slowed, and the test would measure that.

import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type ConsoleMessage, type Page } from "playwright-core";
import { test } from "vitest";
import type { CaptureStats } from "../../capture-web/src/stats-handle.ts";
import type { ViewerStats } from "../../viewer-web/src/stats-handle.ts";
import { FLAGS, findChromium } from "../../scripts/chromium.mjs";
import { Server } from "./server.ts";
import { BrowserWindow } from "./window.ts";

const ARTIFACTS = fileURLToPath(new URL("../../artifacts/", import.meta.url));

/** A camera that gives 30 frames a second; 20 unless told otherwise. */
export const FAKE_CAMERA = "--use-fake-device-for-media-stream=fps=30";

const CAMERA_FLAGS = [
  FAKE_CAMERA,
  "--use-fake-ui-for-media-stream",
];

/** Makes WebRTC use proxied TCP only, which is none: to the page, UDP is blocked. */
export const NO_UDP = "--webrtc-ip-handling-policy=disable_non_proxied_udp";

export type { CaptureStats, ViewerStats };

export class Stage {
  readonly #closers: (() => Promise<unknown>)[] = [];
  readonly #pages = new Map<string, Page>();
  /** Console errors and uncaught exceptions of all pages. */
  readonly errors: string[] = [];

  async server(flags: string[] = [], ports?: { ingest: number; view: number }, command?: "serve" | "demo"): Promise<Server> {
    const server = await Server.start(ports, flags, command);
    this.#closers.push(() => server.stop());
    return server;
  }

  /** Something else that ends with the test. */
  closes(close: () => Promise<unknown>): void {
    this.#closers.push(close);
  }

  /** A browser with a fake camera that every page may use. */
  async browser(...flags: string[]): Promise<Browser> {
    return this.bareBrowser(...CAMERA_FLAGS, ...flags);
  }

  /** A browser without a camera, and with nobody who answers when it asks for permission. */
  async bareBrowser(...flags: string[]): Promise<Browser> {
    const browser = await chromium.launch({ executablePath: findChromium(), args: [...FLAGS, ...flags] });
    this.#closers.push(() => browser.close());
    return browser;
  }

  /** A window of which only the tab in front is visible, with a fake camera. */
  async window(...flags: string[]): Promise<BrowserWindow> {
    const window = await BrowserWindow.open([...CAMERA_FLAGS, ...flags]);
    this.closes(() => window.close());
    return window;
  }

  /** Opens a page in a browser of its own, unless one is given, or a window to open a tab in. */
  async page(name: string, url: URL | string, options: { browser?: Browser; window?: BrowserWindow; context?: BrowserContextOptions; before?: (page: Page) => Promise<unknown> } = {}): Promise<Page> {
    const page = await (options.window === undefined ? this.#context(options) : Promise.resolve(options.window.tabs)).then((context) => context.newPage());
    this.#pages.set(name, page);
    page.on("console", (message: ConsoleMessage) => {
      if (message.type() === "error") this.errors.push(`${name}: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.errors.push(`${name}: ${error.message}`));
    await options.before?.(page);
    await page.goto(String(url));
    return page;
  }

  async #context(options: { browser?: Browser; context?: BrowserContextOptions }): Promise<BrowserContext> {
    const browser = options.browser ?? (await this.browser());
    return browser.newContext({ viewport: { width: 1280, height: 800 }, ...options.context });
  }

  async screenshots(test: string): Promise<void> {
    await mkdir(ARTIFACTS, { recursive: true });
    for (const [name, page] of this.#pages) {
      if (page.isClosed()) continue;
      await page.screenshot({ path: `${ARTIFACTS}${test.replace(/[^a-z0-9]+/gi, "-")}-${name}.png` }).catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    for (const closer of this.#closers.splice(0).reverse()) await closer().catch(() => undefined);
  }
}

/** A test with a stage that is closed whatever happens, after screenshots where it failed. */
export function staged(name: string, body: (stage: Stage) => Promise<void>): void {
  test(name, async () => {
    const stage = new Stage();
    try {
      await body(stage);
    } catch (error) {
      await stage.screenshots(name);
      throw error;
    } finally {
      await stage.close();
    }
  });
}

export function captureStats(page: Page): Promise<CaptureStats> {
  return page.evaluate(() => framecastStats() as CaptureStats);
}

export function viewerStats(page: Page): Promise<ViewerStats> {
  return page.evaluate(() => framecastStats() as ViewerStats);
}

/** Polls until `check` answers with something; says `what` was awaited where it never does. */
export async function eventually<T>(what: string, check: () => Promise<T | undefined | false>, withinMs = 15_000): Promise<T> {
  const untilMs = Date.now() + withinMs;
  for (;;) {
    const found = await check();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > untilMs) throw new Error(`${what}: not within ${withinMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits until the capture page is live: on this path, or on any. */
export async function live(page: Page, path?: "webrtc" | "websocket", withinMs = 15_000): Promise<void> {
  const onPath = path === undefined ? "" : `[data-path=${path}]`;
  await page.locator(`[data-testid=capture][data-state=live]${onPath}`).waitFor({ timeout: withinMs });
}

export interface Measured {
  fps: number;
  ageP50: number;
  ageP99: number;
}

/** Counts a camera's frames on the viewer page for some seconds. The page has to know the camera all along. */
export async function measure(page: Page, camera: string, seconds: number): Promise<Measured> {
  const before = known(await viewerStats(page), camera);
  const startMs = performance.now();
  await page.waitForTimeout(seconds * 1000);
  const after = known(await viewerStats(page), camera);
  const elapsed = (performance.now() - startMs) / 1000;
  const shown = after.shown - before.shown;
  // Only the ages of the frames that were counted.
  const ages = (shown > 0 ? after.ageMs.slice(-shown) : []).sort((a, b) => a - b);
  const at = (fraction: number): number => ages[Math.min(ages.length - 1, Math.floor(ages.length * fraction))] ?? Number.NaN;
  return { fps: shown / elapsed, ageP50: at(0.5), ageP99: at(0.99) };
}

function known({ cameras }: ViewerStats, camera: string): ViewerStats["cameras"][string] {
  const figures = cameras[camera];
  if (figures === undefined) throw new Error(`the viewer page knows no camera '${camera}', only: ${Object.keys(cameras).join(", ") || "none"}`);
  return figures;
}
