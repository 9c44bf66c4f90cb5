// How the capture page looks in each of its states, and that everybody can use it there.

import { staged } from "./stage.ts";
import { expectAccessible, LOOKS, screenshot, type Look } from "./looks.ts";

for (const look of Object.keys(LOOKS) as Look[]) {
  staged(`idle, ${look}`, async (stage) => {
    const server = await stage.server();
    const page = await stage.page("capture", server.ingest, { context: { viewport: LOOKS[look] } });
    await page.getByTestId("start").waitFor();
    await expectAccessible(page);
    await screenshot(page, `capture-idle-${look}`);
  });
}
