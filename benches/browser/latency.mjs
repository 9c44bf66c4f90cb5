// How long a picture takes from a camera to another page's screen, in a real Chromium through the real server.
//
//   node benches/browser/latency.mjs [--seconds 20] [--runs 3] [--json] [--locked] [--built-pages] [--query method=video]
//
// Each run measures three ways to the same canvas, read in the same way: the two pages and the server, and,
// without any server, what the browser itself takes to encode, hand over and decode (the floor), once as the
// capture page encodes and once by plain `canvas.toBlob`. `--json` prints one object on stdout; words for a
// person go to stderr. `--locked` ties the camera to the screen's animation frames, so that every age is a whole
// number of them; `--built-pages` serves the pages from their dist folders instead of those inside the
// binary; `--query` is added to the capture page's address.
// The viewer page is asked to draw on its own thread, where each step can be noted; in its worker a picture is a few
// milliseconds older on this machine's two cores (docs/decisions.md).

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { FLAGS, findChromium } from "../../scripts/chromium.mjs";
import { shownFigures, spread, spreads, stageFigures, wayFigures } from "./figures.mjs";
import { installClock, installReceiver, installSender, noted, startFloorSink, startFloorSource, startNoting, watchCanvas } from "./in-page.mjs";
import { startServer } from "./server.mjs";

/** @import { Browser, BrowserContext, Page } from "playwright-core" */

/** As the capture page's default. */
const QUALITY = 0.7;
/** From the first picture until figures count: encoders, decoders and windows have settled. */
const WARM_MS = 3_000;
const GOALS = { way: { p50: 5, p99: 25 }, shown: { p50: 28, p95: 42 } };

/** Chromium asks whether pages that come from nowhere may talk to this machine; these do. */
const BUILT_PAGES_FLAGS = ["--disable-features=LocalNetworkAccessChecks"];

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    runs: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
    "built-pages": { type: "boolean", default: false },
    query: { type: "string", default: "" },
    locked: { type: "boolean", default: false },
  },
});
const seconds = atLeastOne("seconds", options.seconds);
const runs = atLeastOne("runs", options.runs);

/** @param {string} name @param {string} text */
function atLeastOne(name, text) {
  const value = Number(text);
  if (!(value >= 1)) throw new Error(`--${name} takes a number from 1, not '${text}'`);
  return value;
}

/** @param {string} words */
const say = (words) => process.stderr.write(`${words}\n`);

/**
 * Serves a page from its dist folder instead of from the server.
 *
 * @param {BrowserContext} context
 * @param {URL} origin
 * @param {string} page
 */
async function serveBuilt(context, origin, page) {
  const dist = fileURLToPath(new URL(`../../${page}/dist/`, import.meta.url));
  /** @type {Record<string, string>} */
  const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
  await context.route(`${origin.origin}/**`, async (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname !== "/" && !pathname.startsWith("/assets/")) return route.continue();
    const file = pathname === "/" ? "index.html" : pathname;
    return route.fulfill({ body: await readFile(join(dist, file)), contentType: types[extname(file)] ?? "application/octet-stream" });
  });
}

/** @param {Browser} browser */
async function newWindow(browser) {
  return browser.newContext({ viewport: { width: 1280, height: 800 } });
}

/**
 * Lets both pages note for the measured time.
 *
 * @param {Page} source
 * @param {Page} sink
 */
async function note(source, sink) {
  await sink.waitForFunction(() => /** @type {import("./in-page.mjs").MeasuredPage} */ (globalThis).latency.seen.length > 0, undefined, { timeout: 30_000 });
  await source.waitForTimeout(WARM_MS);
  await Promise.all([source.evaluate(startNoting), sink.evaluate(startNoting)]);
  const startMs = performance.now();
  await source.waitForTimeout(seconds * 1000);
  const [sent, shown] = await Promise.all([source.evaluate(noted), sink.evaluate(noted)]);
  return { sent, shown, elapsed: (performance.now() - startMs) / 1000 };
}

/**
 * The two pages, through the server.
 *
 * @param {Browser} browser
 */
async function measurePages(browser) {
  const server = await startServer();
  const contexts = [await newWindow(browser), await newWindow(browser)];
  try {
    const [captures, viewers] = /** @type {[BrowserContext, BrowserContext]} */ (contexts);
    if (options["built-pages"]) {
      await serveBuilt(captures, server.ingest, "capture-web");
      await serveBuilt(viewers, server.view, "viewer-web");
    }
    for (const context of contexts) await context.addInitScript(installClock);
    await captures.addInitScript(installSender, { locked: options.locked });
    await viewers.addInitScript(installReceiver);
    const viewer = await viewers.newPage();
    await viewer.goto(new URL("?thread=page", server.view).href);
    await viewer.evaluate(watchCanvas);
    const capture = await captures.newPage();
    await capture.goto(new URL(`?camera=bench&autostart=1&${options.query}`, server.ingest).href);
    const { sent, shown, elapsed } = await note(capture, viewer);
    const figures = await capture.evaluate(() => /** @type {import("../../capture-web/src/stats-handle.ts").CaptureStats} */ (globalThis.framecastStats()));
    return {
      path: figures.path,
      method: figures.method,
      bytes: figures.sentBytes / figures.sent,
      way: wayFigures(sent, shown),
      shown: shownFigures(sent, shown, elapsed),
      stages: stageFigures(sent, shown, figures.clockOffsetMs ?? 0),
    };
  } finally {
    for (const context of contexts) await context.close();
    await server.stop();
  }
}

/**
 * The browser alone.
 *
 * @param {Browser} browser
 * @param {"worker" | "page"} encode
 */
async function measureFloor(browser, encode) {
  // An origin of its own, with nothing on it: pages can reach each other only within one.
  const blank = createServer((_, response) => response.setHeader("Content-Type", "text/html").end("<!doctype html><title>floor</title>"));
  blank.listen(0, "127.0.0.1");
  await once(blank, "listening");
  const address = blank.address();
  const context = await newWindow(browser);
  try {
    if (address === null || typeof address === "string") throw new Error("no port");
    await context.addInitScript(installClock);
    const sink = await context.newPage();
    await sink.goto(`http://127.0.0.1:${address.port}/`);
    // In a window of its own, for a tab behind another is not drawn; and in a process of its own.
    const opened = context.waitForEvent("page");
    await sink.evaluate(() => void open(location.href, "", "noopener,popup,width=1280,height=800"));
    const source = await opened;
    await source.waitForLoadState();
    await sink.evaluate(startFloorSink);
    await sink.evaluate(watchCanvas);
    await source.evaluate(startFloorSource, { encode, quality: QUALITY, locked: options.locked });
    const { sent, shown, elapsed } = await note(source, sink);
    return shownFigures(sent, shown, elapsed);
  } finally {
    await context.close();
    blank.close();
  }
}

/** @param {number} value */
function ms(value) {
  return `${value.toFixed(1)} ms`;
}

/** @param {ReturnType<typeof shownFigures>} figures */
function shownWords({ p50_ms, p95_ms, p99_ms, mean_ms, fps_sent, fps_shown, animation_fps, unreadable }) {
  return `p50 ${ms(p50_ms)}, p95 ${ms(p95_ms)}, p99 ${ms(p99_ms)}, mean ${ms(mean_ms)}; ${fps_shown.toFixed(1)} of ${fps_sent.toFixed(1)} fps shown, drawn at ${animation_fps.toFixed(0)} Hz, ${unreadable} unreadable`;
}

/** @param {Record<string, unknown>} figures @param {string} name */
function range(figures, name, unit = "ms") {
  const { median, min, max } = /** @type {import("./figures.mjs").Spread} */ (figures[name]);
  return `${median} (${min}–${max})${unit === "" ? "" : ` ${unit}`}`;
}

async function main() {
  /** @type {Awaited<ReturnType<typeof measurePages>>[]} */
  const pages = [];
  /** @type {{ worker: Awaited<ReturnType<typeof measureFloor>>[], page: Awaited<ReturnType<typeof measureFloor>>[] }} */
  const floors = { worker: [], page: [] };
  const browser = await chromium.launch({ executablePath: findChromium(), args: options["built-pages"] ? [...FLAGS, ...BUILT_PAGES_FLAGS] : FLAGS });
  try {
    for (let run = 1; run <= runs; run += 1) {
      const measured = await measurePages(browser);
      pages.push(measured);
      const { way, shown, stages } = measured;
      say(`run ${run} of ${runs}: ${measured.path} by ${measured.method}, ${Math.round(measured.bytes / 1000)} kB a picture`);
      say(`  send to message    p50 ${ms(way.p50_ms)}, p99 ${ms(way.p99_ms)}; ${way.lost} of ${way.frames + way.lost} frames lost`);
      say(`  camera to screen   ${shownWords(shown)}`);
      say(`  of that            ${Object.entries(stages).map(([name, value]) => `${name.replace("_ms", "")} ${value.toFixed(1)}`).join(", ")} ms`);
      for (const encode of /** @type {const} */ (["worker", "page"])) {
        const floor = await measureFloor(browser, encode);
        floors[encode].push(floor);
        say(`  floor, ${encode.padEnd(6)}      ${shownWords(floor)}`);
      }
    }
  } finally {
    await browser.close();
  }

  const result = {
    bench: "browser-latency",
    picture: "640x480",
    camera_fps: 30,
    camera_locked_to_screen: options.locked,
    seconds,
    runs,
    browser: `Chromium ${browser.version()}`,
    path: pages[0]?.path ?? null,
    method: pages[0]?.method ?? null,
    bytes_a_picture: Math.round(pages[0]?.bytes ?? 0),
    send_to_message: { goal_p50_ms: GOALS.way.p50, goal_p99_ms: GOALS.way.p99, ...spreads(pages.map(({ way }) => way)) },
    camera_to_screen: { goal_p50_ms: GOALS.shown.p50, goal_p95_ms: GOALS.shown.p95, ...spreads(pages.map(({ shown }) => shown)) },
    stages: spreads(pages.map(({ stages }) => stages)),
    floor_worker: spreads(floors.worker),
    floor_page: spreads(floors.page),
    ratio_to_floor: {
      p50: spread(pages.map(({ shown }, run) => shown.p50_ms / (floors.worker[run]?.p50_ms ?? Number.NaN))),
      p95: spread(pages.map(({ shown }, run) => shown.p95_ms / (floors.worker[run]?.p95_ms ?? Number.NaN))),
      mean: spread(pages.map(({ shown }, run) => shown.mean_ms / (floors.worker[run]?.mean_ms ?? Number.NaN))),
    },
  };
  const { send_to_message: way, camera_to_screen: shown, ratio_to_floor: ratio } = result;
  say(`over ${runs} runs of ${seconds} s, medians (least–most):`);
  say(`  send to message    p50 ${range(way, "p50_ms")} (goal ${GOALS.way.p50}), p99 ${range(way, "p99_ms")} (goal ${GOALS.way.p99})`);
  say(`  camera to screen   p50 ${range(shown, "p50_ms")} (goal ${GOALS.shown.p50}), p95 ${range(shown, "p95_ms")} (goal ${GOALS.shown.p95}), ${range(shown, "fps_shown", "fps")}`);
  say(`  floor              p50 ${range(result.floor_worker, "p50_ms")}, p95 ${range(result.floor_worker, "p95_ms")}; plain p50 ${range(result.floor_page, "p50_ms")}, p95 ${range(result.floor_page, "p95_ms")}`);
  say(`  ratio to the floor p50 ${range(ratio, "p50", "")}, p95 ${range(ratio, "p95", "")}, mean ${range(ratio, "mean", "")}`);
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
}

main().catch((/** @type {unknown} */ error) => {
  say(`not measured: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
