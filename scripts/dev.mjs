// `npm run dev`: both pages from Vite's development servers, with reload on save, against a framecast
// server that is already running. capture-web/vite.config.ts and viewer-web/vite.config.ts say how to
// point them at another server.
import { createServer } from "vite";

for (const page of ["capture-web", "viewer-web"]) {
  const root = new URL(`../${page}/`, import.meta.url).pathname;
  const server = await createServer({ root, configFile: `${root}vite.config.ts` });
  await server.listen();
  console.log(`${page}: ${server.resolvedUrls?.local[0] ?? ""}`);
}
