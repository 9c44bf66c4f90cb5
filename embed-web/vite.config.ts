// The element for other sites' pages: one file, for a plain <script> as well as for a module. What stands in
// public/ is served as it is.
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

/** The minifier leaves text alone, and so the element's style with its spaces. */
const tightStyle: Plugin = {
  name: "tight-style",
  apply: "build",
  transform: (code, id) =>
    id.endsWith("/src/screen.ts")
      ? code.replace(/(?<=const STYLE = `)[^`]*/, (style) => style.replace(/\s+/g, " ").replace(/ ?([{};]) ?/g, "$1").replace(/([:,]) /g, "$1").replaceAll(";}", "}").replace(/="(\w+)"/g, "=$1").trim())
      : undefined,
};

export default defineConfig({
  plugins: [tightStyle],
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
