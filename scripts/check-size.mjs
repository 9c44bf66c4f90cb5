// Fails the build when a page's script outgrows its budget. The server embeds the pages and phones load
// them, so the compressed size is the one that counts.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BUDGET_BYTES = 100_000;

for (const page of ["capture-web", "viewer-web"]) {
  const assets = new URL(`../${page}/dist/assets/`, import.meta.url).pathname;
  const bytes = readdirSync(assets)
    .filter((name) => name.endsWith(".js"))
    .reduce((sum, name) => sum + gzipSync(readFileSync(join(assets, name))).length, 0);
  console.log(`${page}: ${(bytes / 1000).toFixed(1)} kB of script, compressed`);
  if (bytes > BUDGET_BYTES) {
    console.error(`${page} is over its budget of ${BUDGET_BYTES / 1000} kB`);
    process.exitCode = 1;
  }
}
