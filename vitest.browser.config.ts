// Browser tests: the built server binary, the system's Chromium, a fake camera. They measure frame
// rates, so they run one after the other: two at once would measure each other.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/browser/**/*.test.ts"],
    environment: "node",
    fileParallelism: false,
    testTimeout: 90_000,
    hookTimeout: 60_000,
  },
});
