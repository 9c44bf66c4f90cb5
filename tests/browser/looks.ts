// How pages look and whether everybody can use them: the viewports that count, screenshots that are kept
// whether a test passes or not, and an accessibility check in both colour schemes.

import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import type { Page } from "playwright-core";

/** Git ignores it; CI keeps it. */
const SCREENSHOTS = fileURLToPath(new URL("../../artifacts/screenshots/", import.meta.url));

/** Viewports in CSS pixels: a phone upright, a laptop, a 4K screen without scaling. */
export const LOOKS = {
  phone: { width: 390, height: 844 },
  laptop: { width: 1440, height: 900 },
  "4k": { width: 3840, height: 2160 },
} as const;

export type Look = keyof typeof LOOKS;

/** Keeps what the page shows, whole height included, as `artifacts/screenshots/{name}.png`. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await mkdir(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: `${SCREENSHOTS}${name.replace(/[^a-z0-9]+/gi, "-")}.png`, fullPage: true });
}

/** Findings of these keep somebody from using the page. */
const GRAVE: ReadonlySet<string | null | undefined> = new Set(["serious", "critical"]);

/** Throws where axe finds something serious or critical in what the page shows now, in light or in dark. */
export async function expectAccessible(page: Page): Promise<void> {
  // Evaluated, not added as a script: the page's own policy does not have to allow it.
  await page.evaluate(axe.source);
  const findings: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run(document, { resultTypes: ["violations"] }));
    for (const { id, impact, help, nodes } of violations) {
      if (!GRAVE.has(impact)) continue;
      findings.push(...nodes.map((node) => `${colorScheme}: ${impact} ${id}: ${help}\n  ${node.html}\n  ${node.failureSummary ?? ""}`));
    }
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  if (findings.length > 0) throw new Error(`accessibility:\n${findings.join("\n")}`);
}
