// The viewer page. Built, it talks to the server that serves it; hosted elsewhere, set VITE_VIEW_URL
// (for example https://view.example.org:8081) when building, and VITE_INGEST_URL for the link to the
// capture page, and allow the page's origin on the server (--allow-origin).
//
// While developing, the page's own origin is the Vite server, which passes the protocol's routes on to
// FRAMECAST_VIEW (default http://127.0.0.1:8081).
import { defineConfig } from "vite";

const server = process.env["FRAMECAST_VIEW"] ?? "http://127.0.0.1:8081";
// The Host header stays the page's own, so that the server sees page and route as one site.
const route = { target: server, ws: true, changeOrigin: false };

export default defineConfig({
  base: "./",
  server: { port: 5174, strictPort: true, proxy: { "/stream": route, "/api": route, "/hls": route, "/whep": route } },
  build: { target: "es2022", sourcemap: false, assetsInlineLimit: 0 },
  worker: { format: "es" },
});
