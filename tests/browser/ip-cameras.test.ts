// IP cameras on the viewer page: a real RTSP camera, the real server, Chromium's own decoders.

import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { ages, percentile } from "./burnt-clock.ts";
import { withCameras } from "./cameras.ts";
import { IpCamera, setUp } from "./ip-camera.ts";
import { expectAccessible, screenshot } from "./looks.ts";
import { freePort, Server } from "./server.ts";
import { eventually, staged, viewerStats, type Stage } from "./stage.ts";

const tile = (camera: string): string => `[data-testid=tile][data-camera=${camera}]`;

async function ipCamera(stage: Stage, ...options: string[]): Promise<IpCamera> {
  const camera = await IpCamera.start(...options);
  stage.closes(() => camera.unplug());
  return camera;
}

/** A camera that is set up and connected only while somebody watches. */
async function withIpCamera(stage: Stage, server: Server, id: string, ...options: string[]): Promise<IpCamera> {
  const camera = await ipCamera(stage, ...options);
  await setUp(server, id, { name: `The ${id}`, source: { type: "rtsp", url: camera.url.href } });
  return camera;
}

/** One that only one viewer may watch. */
async function withOneSeat(stage: Stage, server: Server, id: string, ...options: string[]): Promise<void> {
  const camera = await ipCamera(stage, ...options);
  await setUp(server, id, { source: { type: "rtsp", url: camera.url.href }, max_viewers: 1 });
}

async function plays(page: Page, camera: string, rung: string, withinMs = 20_000): Promise<void> {
  await page.locator(`${tile(camera)}[data-play=${rung}]`).waitFor({ timeout: withinMs });
}

/** Frames of the JPEG stream that the server sent to this page. */
async function jpegsSent(page: Page, camera: string): Promise<number> {
  return (await viewerStats(page)).cameras[camera]?.served?.sent ?? 0;
}

const unexpected = (errors: readonly string[]): string[] => errors.filter((error) => !error.includes("Failed to load resource"));

staged("an IP camera plays over WebRTC by itself, beside a webcam, and sends no JPEGs meanwhile", async (stage) => {
  const server = await stage.server();
  await withIpCamera(stage, server, "gate", "--size", "1280x720", "--fps", "30");
  await withCameras(server, { webcam: {} }, async () => {
    const page = await stage.page("viewer", server.view);
    await plays(page, "gate", "whep");
    // The page's own time, from when it was asked for; not what the browser takes to start.
    const tookMs = await page.evaluate(() => performance.now());
    console.log(`WebRTC: first picture ${tookMs.toFixed(0)} ms after the page was asked for, camera not connected before`);
    await eventually("figures", async () => {
      const gate = (await viewerStats(page)).cameras["gate"];
      return gate !== undefined && gate.fps > 25 && gate.kilobytesPerSecond > 20 && gate.width === 1280 && gate.ageP50 !== null;
    });
    expect((await viewerStats(page)).cameras["webcam"]?.fps).toBeGreaterThan(7);
    expect(await page.locator(`${tile("gate")} [data-testid=play]`).innerText()).toContain("WebRTC");
    expect(await page.locator(`${tile("gate")} [data-testid=badge]`).innerText()).toBe("LIVE");
    expect(await page.locator(`${tile("gate")} [data-testid=tile-words]`).count()).toBe(0);
    const measured = await ages(page, "gate", 4);
    console.log(`WebRTC: ${measured.length / 4} pictures a second; glass to glass p50 ${percentile(measured, 0.5).toFixed(0)} ms, p95 ${percentile(measured, 0.95).toFixed(0)} ms`);
    expect(percentile(measured, 0.5)).toBeLessThan(250);
    const sent = await jpegsSent(page, "gate");
    await page.waitForTimeout(6_000);
    expect(await jpegsSent(page, "gate")).toBe(sent);
    await screenshot(page, "ip-camera-webrtc-laptop");
    await expectAccessible(page);

    await page.hover(tile("gate"));
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator(`${tile("gate")} [data-testid=snapshot]`).click()]);
    const saved = await readFile(await download.path());
    expect([saved[0], saved[1], saved.length > 5_000]).toEqual([0xff, 0xd8, true]);
    await page.locator(`${tile("gate")} [data-testid=pip]`).click();
    await page.locator(`${tile("gate")} [data-testid=pip][aria-pressed=true]`).waitFor();
    expect(await page.evaluate(() => (document.pictureInPictureElement as HTMLVideoElement | null)?.videoWidth)).toBe(1280);
    await page.evaluate(() => document.exitPictureInPicture());

    // Out of sight it is let go.
    await page.goto(new URL("#setup", server.view).href);
    await page.getByTestId("setup-list").waitFor();
    await eventually("nobody watches", async () => ((await (await fetch(new URL("/api/cameras/gate", server.view))).json()) as { viewers: number; video: { viewers: number } | null }).video?.viewers === 0);
  });
  expect(unexpected(stage.errors)).toEqual([]);
});

staged("low-latency HLS plays where it is asked for, close to the live edge", async (stage) => {
  const server = await stage.server();
  await withIpCamera(stage, server, "gate", "--size", "1280x720", "--fps", "30");
  const page = await stage.page("viewer", new URL("?play=hls", server.view));
  await plays(page, "gate", "hls");
  await page.waitForTimeout(8_000);
  const measured = await ages(page, "gate", 5);
  const stats = (await viewerStats(page)).cameras["gate"];
  console.log(`HLS: ${measured.length / 5} pictures a second; glass to glass p50 ${percentile(measured, 0.5).toFixed(0)} ms, p95 ${percentile(measured, 0.95).toFixed(0)} ms; shown as ${stats?.ageP50?.toFixed(0)} ms, ${stats?.kilobytesPerSecond.toFixed(0)} kB/s`);
  expect(percentile(measured, 0.5)).toBeLessThan(1_500);
  // Of a busy machine, where a still would have none.
  expect(stats?.fps).toBeGreaterThan(5);
  expect(stats?.kilobytesPerSecond).toBeGreaterThan(20);
  await screenshot(page, "ip-camera-hls-laptop");
  expect(unexpected(stage.errors)).toEqual([]);
});

staged("low-latency HLS with sound plays on without a pause", async (stage) => {
  const server = await stage.server();
  await withIpCamera(stage, server, "gate", "--aac");
  const page = await stage.page("viewer", new URL("?play=hls", server.view));
  await plays(page, "gate", "hls");
  // What the start takes to come close to the live edge is over by then.
  await page.waitForTimeout(8_000);
  const seen = await page.evaluate(async (selector) => {
    const video = document.querySelector(selector) as HTMLVideoElement & { readonly webkitAudioDecodedByteCount: number };
    const before = { atS: video.currentTime, sound: video.webkitAudioDecodedByteCount, ms: performance.now() };
    let pauses = 0;
    for (const kind of ["waiting", "stalled", "pause"]) video.addEventListener(kind, () => (pauses += 1));
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    const passedS = (performance.now() - before.ms) / 1_000;
    return { pauses, pace: (video.currentTime - before.atS) / passedS, sound: video.webkitAudioDecodedByteCount - before.sound };
  }, `${tile("gate")} video[data-shown=true]`);
  console.log(`HLS with sound: ${seen.pauses} pauses in 8 s, ${seen.pace.toFixed(3)} s of video a second, ${seen.sound} bytes of sound decoded`);
  expect(seen.sound).toBeGreaterThan(10_000);
  // A busy machine may hold it up for a moment; it goes on by itself, and does not fall behind.
  expect(seen.pace).toBeGreaterThan(0.85);
  expect(seen.pauses).toBeLessThanOrEqual(2);
  expect(unexpected(stage.errors)).toEqual([]);
});

staged("a camera with B-frames, which WebRTC has not, plays over HLS", async (stage) => {
  const server = await stage.server();
  await withIpCamera(stage, server, "gate", "--bframes", "2");
  const page = await stage.page("viewer", server.view);
  await plays(page, "gate", "hls", 30_000);
  await page.waitForTimeout(4_000);
  expect((await viewerStats(page)).cameras["gate"]?.fps).toBeGreaterThan(10);
  expect(unexpected(stage.errors)).toEqual([]);
});

staged("a camera with sound is muted until it is asked for, is heard over HLS, and is WebRTC again when muted", async (stage) => {
  const server = await stage.server();
  await withIpCamera(stage, server, "gate", "--aac", "--size", "320x240");
  await withIpCamera(stage, server, "yard", "--size", "320x240");
  const page = await stage.page("viewer", server.view);
  for (const camera of ["gate", "yard"]) await plays(page, camera, "whep");
  await page.hover(tile("gate"));
  const sound = page.locator(`${tile("gate")} [data-testid=sound]`);
  await page.locator(`${tile("gate")} [data-testid=sound][aria-pressed=false]`).waitFor();
  expect(await page.locator(`${tile("yard")} [data-testid=sound]`).count()).toBe(0);
  const heard = (): Promise<{ muted: boolean; bytes: number } | null> =>
    page.evaluate((selector) => {
      const video = document.querySelector<HTMLVideoElement & { webkitAudioDecodedByteCount?: number }>(`${selector} video[data-shown=true]`);
      return video === null ? null : { muted: video.muted, bytes: video.webkitAudioDecodedByteCount ?? 0 };
    }, tile("gate"));
  expect((await heard())?.muted).toBe(true);

  await sound.click();
  await plays(page, "gate", "hls");
  await eventually("sound", async () => {
    const now = await heard();
    return now !== null && !now.muted && now.bytes > 5_000;
  });
  await page.locator(`${tile("gate")} [data-testid=sound][aria-pressed=true]`).waitFor();
  await screenshot(page, "ip-camera-sound-laptop");
  await expectAccessible(page);
  await page.locator(`${tile("gate")} .tile-picture`).focus();
  await page.keyboard.press("m");
  expect((await heard())?.muted).toBe(true);
  await plays(page, "gate", "whep");
  expect(unexpected(stage.errors)).toEqual([]);
});

staged("the seat of a page that is left is free at once: loaded anew it plays, and so it does when one comes back to it", async (stage) => {
  const server = await stage.server();
  await withOneSeat(stage, server, "gate", "--size", "320x240");
  const page = await stage.page("viewer", server.view);
  await plays(page, "gate", "whep");
  await page.reload();
  await plays(page, "gate", "whep");
  const tookMs = await page.evaluate(() => performance.now());
  console.log(`one seat, loaded anew: plays after ${tookMs.toFixed(0)} ms`);
  // A seat of which the server hears nothing is free after some 20 s.
  expect(tookMs).toBeLessThan(10_000);

  // As when the browser keeps the page to come back to.
  const turn = (type: string): Promise<unknown> => page.evaluate((type) => dispatchEvent(new PageTransitionEvent(type, { persisted: true })), type);
  await turn("pagehide");
  await page.locator(`${tile("gate")}[data-phase=idle]`).waitFor();
  const other = await stage.page("other", server.view);
  await plays(other, "gate", "whep");
  await other.close({ runBeforeUnload: true });
  await turn("pageshow");
  await plays(page, "gate", "whep");
  expect(unexpected(stage.errors)).toEqual([]);
});

staged("sound that finds no seat says why, and the picture goes on", async (stage) => {
  const server = await stage.server();
  await withOneSeat(stage, server, "gate", "--aac", "--size", "320x240");
  const page = await stage.page("viewer", server.view);
  await plays(page, "gate", "whep");
  await page.hover(tile("gate"));
  await page.locator(`${tile("gate")} [data-testid=sound]`).click();
  const note = page.locator(`${tile("gate")} [data-testid=no-sound]`);
  await note.waitFor();
  expect(await note.innerText()).toMatch(/^No sound: .*all seats of this camera are taken/);
  await page.locator(`${tile("gate")} [data-testid=sound][aria-pressed=false]`).waitFor();
  await screenshot(page, "ip-camera-no-sound-laptop");
  await expectAccessible(page);
  const shown = async (): Promise<number> => (await viewerStats(page)).cameras["gate"]?.shown ?? 0;
  const before = await shown();
  await eventually("more pictures", async () => (await shown()) > before + 5);
  expect(await page.locator(tile("gate")).getAttribute("data-play")).toBe("whep");
  // Not for ever.
  await note.waitFor({ state: "detached" });
  expect(unexpected(stage.errors)).toEqual([]);
});

staged("picture in picture goes on when sound is pressed, and when it is pressed again", async (stage) => {
  const server = await stage.server();
  await withIpCamera(stage, server, "gate", "--aac", "--size", "320x240");
  const page = await stage.page("viewer", server.view);
  await plays(page, "gate", "whep");
  await page.hover(tile("gate"));
  await page.locator(`${tile("gate")} [data-testid=pip]`).click();
  const pressed = page.locator(`${tile("gate")} [data-testid=pip][aria-pressed=true]`);
  await pressed.waitFor();
  const floats = (): Promise<boolean> => page.evaluate((selector) => document.pictureInPictureElement !== null && document.pictureInPictureElement === document.querySelector(`${selector} video[data-shown=true]:last-child`), tile("gate"));
  const passedOn = async (rung: string): Promise<void> => {
    await page.locator(`${tile("gate")} [data-testid=sound]`).click();
    await plays(page, "gate", rung);
    await eventually(`${rung} in the small window`, floats);
    await pressed.waitFor();
  };
  await passedOn("hls");
  await passedOn("whep");
  // Chromium refuses now and then for no reason that it gives.
  await page.evaluate(() => {
    const ask = HTMLVideoElement.prototype.requestPictureInPicture;
    const odd = [(): Promise<never> => Promise.reject(new DOMException("", "NotAllowedError")), (): Promise<never> => new Promise(() => {})];
    HTMLVideoElement.prototype.requestPictureInPicture = function () {
      return odd.shift()?.() ?? ask.call(this);
    };
  });
  await passedOn("hls");
  await page.evaluate(() => document.exitPictureInPicture());
  await pressed.waitFor({ state: "detached" });
  expect(unexpected(stage.errors)).toEqual([]);
});

staged("a camera that is unplugged says so over its last picture, and plays again when it is back", async (stage) => {
  const server = await stage.server();
  const port = await freePort();
  const first = await ipCamera(stage, "--port", String(port));
  await setUp(server, "gate", { name: "Gate", source: { type: "rtsp", url: first.url.href } });
  const page = await stage.page("viewer", server.view);
  await plays(page, "gate", "whep");
  await page.waitForTimeout(1_500);
  await first.unplug();
  await page.locator(`${tile("gate")}[data-phase=waiting]`).waitFor({ timeout: 30_000 });
  const words = page.locator(`${tile("gate")} [data-testid=tile-words]`);
  expect(await words.innerText()).toMatch(/Offline/);
  await eventually("the last picture's age", async () => (await words.innerText()).includes("This is the last picture"));
  await screenshot(page, "ip-camera-offline-laptop");
  await expectAccessible(page);
  await ipCamera(stage, "--port", String(port), "--size", "320x240");
  await plays(page, "gate", "whep", 40_000);
  await eventually("the new size", async () => (await viewerStats(page)).cameras["gate"]?.width === 320);
  expect(unexpected(stage.errors)).toEqual([]);
});

staged("a server that is killed is noticed within seconds, and WebRTC plays again soon after it is back; a camera that is removed goes at once", async (stage) => {
  const camera = await ipCamera(stage, "--size", "320x240");
  const ports = { ingest: await freePort(), view: await freePort() };
  const gate = { name: "Gate", source: { type: "rtsp", url: camera.url.href } };
  const first = await Server.start(ports);
  stage.closes(() => first.kill());
  await setUp(first, "gate", gate);
  const page = await stage.page("viewer", first.view);
  await plays(page, "gate", "whep");
  await page.waitForTimeout(6_000);

  const killedMs = performance.now();
  await first.kill();
  await page.locator(`${tile("gate")}:not([data-phase=playing])`).waitFor({ timeout: 10_000 });
  const noticedMs = performance.now() - killedMs;
  expect(noticedMs).toBeLessThan(3_500);
  const words = page.locator(`${tile("gate")} [data-testid=tile-words]`);
  await eventually("its last picture's age", async () => /No connection[^]*This is the last picture, \d+ s old/.test(await words.innerText()));

  const second = await stage.server([], ports);
  await setUp(second, "gate", gate);
  await page.locator("[data-testid=viewer][data-link=live]").waitFor({ timeout: 20_000 });
  const backMs = performance.now();
  await plays(page, "gate", "whep", 12_000);
  console.log(`killed: noticed after ${noticedMs.toFixed(0)} ms; WebRTC again ${(performance.now() - backMs).toFixed(0)} ms after the server was back`);

  expect((await fetch(new URL("/api/cameras/gate", second.view), { method: "DELETE" })).status).toBe(204);
  await page.locator(tile("gate")).waitFor({ state: "detached", timeout: 2_000 });
  await page.getByTestId("empty").waitFor();
  expect(unexpected(stage.errors.filter((error) => !error.includes("WebSocket connection")))).toEqual([]);
});

staged("in a browser without WebRTC, HLS takes over", async (stage) => {
  const server = await stage.server();
  await withIpCamera(stage, server, "gate");
  // As browsers have it where WebRTC is switched off.
  const page = await stage.page("viewer", server.view, { before: (page) => page.addInitScript(() => Object.defineProperty(globalThis, "RTCPeerConnection", { value: undefined })) });
  await plays(page, "gate", "hls", 30_000);
  expect(unexpected(stage.errors)).toEqual([]);
});

staged("tiles beyond what may play at a time show stills and their age", async (stage) => {
  const server = await stage.server();
  for (const id of ["one", "two"]) await withIpCamera(stage, server, id);
  const page = await stage.page("viewer", new URL("?videos=1", server.view));
  await eventually("one that plays and one that rests", async () => {
    const phases = await page.locator("[data-testid=tile]").evaluateAll((tiles) => tiles.map((each) => (each as HTMLElement).dataset["phase"]));
    return phases.includes("playing") && phases.includes("resting");
  }, 20_000);
  const resting = page.locator("[data-testid=tile][data-phase=resting]");
  await eventually("a still", async () => /old$/.test((await resting.getByTestId("badge").allInnerTexts()).join()), 25_000);
  await screenshot(page, "ip-camera-stills-laptop");
  expect(unexpected(stage.errors)).toEqual([]);
});

staged("JPEGs of its video play where they are asked for", async (stage) => {
  const server = await stage.server();
  await withIpCamera(stage, server, "gate", "--size", "320x240");
  const page = await stage.page("viewer", new URL("?play=jpeg", server.view));
  await plays(page, "gate", "jpeg");
  await eventually("pictures at the rate of the camera's setting", async () => {
    const gate = (await viewerStats(page)).cameras["gate"];
    return gate !== undefined && gate.fps > 3 && gate.width === 320;
  });
  expect(await page.locator(`${tile("gate")} [data-testid=play]`).innerText()).toContain("JPEG");
  expect(stage.errors).toEqual([]);
});

staged("what the browser cannot play is said in words", async (stage) => {
  const server = await stage.server();
  await withIpCamera(stage, server, "gate", "--codec", "h265", "--size", "320x240");
  const page = await stage.page("viewer", server.view);
  await eventually("words about H.265", async () => (await page.locator(`${tile("gate")} [data-testid=tile-words]`).allInnerTexts()).join().includes("H.265"), 30_000);
  expect(unexpected(stage.errors)).toEqual([]);
});
