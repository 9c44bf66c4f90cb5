// Fails the build when a page's first view, or the embedded element, outgrows its budget. The server embeds them
// and phones load them, so the compressed size is the one that counts. What a page loads only when a person asks
// for it is not in its budget; it is told beside it.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const PAGE_BYTES = 100_000;
const ELEMENT_BYTES = 8_400;

/** What a built chunk loads only when it comes to that line. */
const LAZY = /\bimport\(\s*["'`]\.\/([^"'`]+\.js)["'`]/g;

const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
const compressed = (file) => gzipSync(readFileSync(file), { level: 9 }).length;

function check(what, bytes, budget) {
  if (bytes <= budget) return;
  console.error(`${what} is over its budget of ${kilobytes(budget)}`);
  process.exitCode = 1;
}

for (const page of ["capture-web", "viewer-web"]) {
  const assets = new URL(`../${page}/dist/assets/`, import.meta.url);
  const scripts = readdirSync(assets).filter((name) => name.endsWith(".js"));
  const lazy = new Set(scripts.flatMap((name) => Array.from(readFileSync(new URL(name, assets), "utf8").matchAll(LAZY), (found) => found[1])));
  const sum = (names) => names.reduce((bytes, name) => bytes + compressed(new URL(name, assets)), 0);
  const first = sum(scripts.filter((name) => !lazy.has(name)));
  console.log(`${page}: ${kilobytes(first)} of script for the first view, compressed; ${kilobytes(sum([...lazy]))} more when asked for`);
  check(page, first, PAGE_BYTES);
}

const element = compressed(new URL("../embed-web/dist/framecast-view.js", import.meta.url));
console.log(`embed-web: ${kilobytes(element)}, compressed`);
check("framecast-view.js", element, ELEMENT_BYTES);
