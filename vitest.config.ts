// Unit tests: no browser, no server, no socket; seconds in all.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["web-shared/test/**/*.test.ts", "capture-web/test/**/*.test.ts", "viewer-web/test/**/*.test.ts", "embed-web/test/**/*.test.ts", "benches/**/*.test.ts"],
    environment: "node",
  },
});
