// Reads the clock that the RTSP test camera burns into its pictures (tests/rtsp/camera.py), from what a tile shows.

import type { Page } from "playwright-core";

/** How old the picture on the camera's tile is, in milliseconds, each time a new one is on the screen. */
export function ages(page: Page, camera: string, seconds: number): Promise<number[]> {
  return page.evaluate(
    async ({ camera, seconds }) => {
      const columns = 24;
      const read = (video: HTMLVideoElement): number | undefined => {
        const block = Math.floor(video.videoWidth / columns);
        const canvas = document.createElement("canvas");
        canvas.width = video.videoWidth;
        canvas.height = block * 2;
        const context = canvas.getContext("2d", { willReadFrequently: true });
        if (context === null || block === 0) return undefined;
        context.drawImage(video, 0, 0);
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        const bits = Array.from({ length: columns * 2 }, (_, index) => {
          const x = (index % columns) * block + Math.floor(block / 2);
          const y = Math.floor(index / columns) * block + Math.floor(block / 2);
          return (data[(y * canvas.width + x) * 4] ?? 0) > 128 ? 1 : 0;
        });
        const number = (from: number, to: number): number => bits.slice(from, to).reduce<number>((sum, bit) => sum * 2 + bit, 0);
        const millis = number(0, 44);
        let sum = 0;
        for (let digit = 0; digit < 11; digit += 1) sum += number(digit * 4, digit * 4 + 4);
        return (sum & 15) === number(44, 48) ? millis : undefined;
      };
      const found: number[] = [];
      let before: number | undefined;
      const endMs = performance.now() + seconds * 1000;
      while (performance.now() < endMs) {
        await new Promise((resolve) => requestAnimationFrame(resolve));
        const video = document.querySelector<HTMLVideoElement>(`[data-testid=tile][data-camera=${camera}] video[data-shown=true]`);
        const made = video === null ? undefined : read(video);
        if (made === undefined || made === before) continue;
        before = made;
        found.push(performance.timeOrigin + performance.now() - made);
      }
      return found;
    },
    { camera, seconds },
  );
}

/** The value that this part of them does not exceed. */
export function percentile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}
