// A browser window as a person has one: only the tab in front is visible, the others are hidden and slowed as the
// browser sees fit. The tests' other browsers pretend to every page that it is in front.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { FLAGS, findChromium } from "../../scripts/chromium.mjs";

const START_MS = 20_000;
/** These keep hidden pages as fast as the one in front. */
const PRETENCE = /background-timer|backgrounding/;

export class BrowserWindow {
  /** Its pages are the tabs; a new one is in front. */
  readonly tabs: BrowserContext;
  readonly #browser: Browser;
  readonly #process: ChildProcess;
  readonly #profile: string;

  private constructor(browser: Browser, tabs: BrowserContext, child: ChildProcess, profile: string) {
    this.#browser = browser;
    this.tabs = tabs;
    this.#process = child;
    this.#profile = profile;
  }

  static async open(flags: string[]): Promise<BrowserWindow> {
    const profile = await mkdtemp(join(tmpdir(), "framecast-window-"));
    const all = [...FLAGS.filter((flag) => !PRETENCE.test(flag)), "--headless=new", "--remote-debugging-port=0", `--user-data-dir=${profile}`, ...flags];
    const child = spawn(findChromium(), [...all, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
    try {
      const browser = await chromium.connectOverCDP(await endpoint(child), { noDefaults: true });
      const tabs = browser.contexts()[0];
      if (tabs === undefined) throw new Error("a browser without a window");
      return new BrowserWindow(browser, tabs, child, profile);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  /** The processes that run the pages. */
  async renderers(): Promise<number[]> {
    const session = await this.#browser.newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    await session.detach();
    return processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
  }

  async close(): Promise<void> {
    await this.#browser.close().catch(() => undefined);
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exit = once(this.#process, "exit");
      this.#process.kill("SIGKILL");
      await exit;
    }
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** Puts another tab in front of this page, and answers how to take it away again. */
export async function hide(page: Page): Promise<() => Promise<void>> {
  const other = await page.context().newPage();
  await page.waitForFunction(() => document.visibilityState === "hidden", undefined, { polling: 100 });
  return async () => {
    await other.close();
    await page.bringToFront();
    await page.waitForFunction(() => document.visibilityState === "visible", undefined, { polling: 100 });
  };
}

async function endpoint(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    const timer = setTimeout(() => reject(new Error(`the browser did not start:\n${output}`)), START_MS);
    child.stderr?.on("data", (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-10_000);
      const found = /DevTools listening on (ws:\S+)/.exec(output)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
    child.once("exit", (code) => reject(new Error(`the browser ended with ${code}:\n${output}`)));
  });
}
