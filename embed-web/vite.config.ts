// The element for other sites' pages: one file, for a plain <script> as well as for a module. What stands in
// public/ is served as it is.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2022",
    sourcemap: false,
    lib: {
      entry: fileURLToPath(new URL("src/framecast-view.ts", import.meta.url)),
      formats: ["iife"],
      name: "framecastView",
      fileName: () => "framecast-view.js",
    },
  },
});
