// The capture page. Built, it talks to the server that serves it; hosted elsewhere, set VITE_INGEST_URL
// (for example https://ingest.example.org:8080) when building, and allow the page's origin on the server
// (--allow-origin).
//
// While developing, the page's own origin is the Vite server, which passes the protocol's routes on to
// FRAMECAST_INGEST (default http://127.0.0.1:8080). Only signaling and WebSocket frames pass through
// this proxy; WebRTC goes straight to the server's UDP port.
import { defineConfig } from "vite";

const server = process.env["FRAMECAST_INGEST"] ?? "http://127.0.0.1:8080";
// The Host header stays the page's own, so that the server sees page and route as one site.
const route = { target: server, ws: true, changeOrigin: false };

export default defineConfig({
  base: "./",
  server: { port: 5173, strictPort: true, proxy: { "/signal": route, "/publish": route } },
  build: { target: "es2022", sourcemap: false, assetsInlineLimit: 0 },
  worker: { format: "es" },
});
