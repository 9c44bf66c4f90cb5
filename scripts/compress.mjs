// Writes each built file once more, compressed, where that is worth it: the server embeds both and compresses
// nothing itself. With gzip, as browsers ask for more only over TLS, and a relay at home has none.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const TEXT = /\.(?:js|css|html|svg)$/;
/** Less fits into one packet anyway. */
const MIN_BYTES = 1_000;

for (const page of ["capture-web", "viewer-web", "embed-web"]) {
  const dist = new URL(`../${page}/dist/`, import.meta.url);
  for (const name of readdirSync(dist, { recursive: true }).filter((name) => TEXT.test(name))) {
    const bytes = readFileSync(new URL(name, dist));
    if (bytes.length < MIN_BYTES) continue;
    writeFileSync(new URL(`${name}.gz`, dist), gzipSync(bytes, { level: 9 }));
  }
}
