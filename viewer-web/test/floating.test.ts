import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { handOver } from "../src/video/floating.ts";

/** The browser's one window, and how it answers those who ask for it. */
class Screen {
  pictureInPictureElement: Video | null = null;
  isRefusing = false;
}

class Video {
  isConnected = true;
  asked = 0;
  readonly #screen: Screen;
  /** Before the window is here. */
  readonly #afterMs: number;

  constructor(screen: Screen, afterMs = 0) {
    this.#screen = screen;
    this.#afterMs = afterMs;
  }

  async requestPictureInPicture(): Promise<void> {
    this.asked += 1;
    if (this.#screen.isRefusing) throw new DOMException("not now", "NotAllowedError");
    if (this.#afterMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#afterMs));
    if (this.isConnected) this.#screen.pictureInPictureElement = this;
  }

  /** As when its way is closed: the window closes with its element. */
  readonly end = (): void => {
    this.isConnected = false;
    if (this.#screen.pictureInPictureElement === this) this.#screen.pictureInPictureElement = null;
  };
}

describe("picture in picture", () => {
  let screen: Screen;
  const video = (afterMs?: number): Video => new Video(screen, afterMs);
  const change = (from: Video, to: Video): void => handOver(from as unknown as HTMLVideoElement, to as unknown as HTMLVideoElement, from.end);

  beforeEach(() => {
    vi.useFakeTimers();
    screen = new Screen();
    vi.stubGlobal("document", screen);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("goes on with the element that takes over, also where the browser refuses for a moment", async () => {
    const [first, second] = [video(), video()];
    screen.pictureInPictureElement = first;
    screen.isRefusing = true;
    change(first, second);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([screen.pictureInPictureElement === first, first.isConnected]).toEqual([true, true]);
    screen.isRefusing = false;
    await vi.advanceTimersByTimeAsync(300);
    expect([screen.pictureInPictureElement === second, first.isConnected]).toEqual([true, false]);
  });

  it("follows a second change while it is still refused the first", async () => {
    const [first, second, third] = [video(), video(), video()];
    screen.pictureInPictureElement = first;
    screen.isRefusing = true;
    change(first, second);
    await vi.advanceTimersByTimeAsync(3_500);
    change(second, third);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(screen.pictureInPictureElement === first).toBe(true);
    screen.isRefusing = false;
    await vi.advanceTimersByTimeAsync(300);
    expect(screen.pictureInPictureElement === third).toBe(true);
    expect([first.isConnected, second.isConnected, third.isConnected]).toEqual([false, false, true]);
  });

  it("loses no window that is granted to an element which was left meanwhile", async () => {
    const [first, slow, third] = [video(), video(500), video()];
    screen.pictureInPictureElement = first;
    change(first, slow);
    await vi.advanceTimersByTimeAsync(100);
    change(slow, third);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(screen.pictureInPictureElement === third).toBe(true);
    expect([first.isConnected, slow.isConnected]).toEqual([false, false]);
    // And the next change begins anew.
    const fourth = video();
    change(third, fourth);
    await vi.advanceTimersByTimeAsync(300);
    expect([screen.pictureInPictureElement === fourth, third.isConnected]).toEqual([true, false]);
  });

  it("lets go in the end, and opens no window that was closed", async () => {
    const [first, second] = [video(), video()];
    screen.pictureInPictureElement = first;
    screen.isRefusing = true;
    change(first, second);
    await vi.advanceTimersByTimeAsync(5_000);
    expect([screen.pictureInPictureElement, first.isConnected]).toEqual([null, false]);
    const [third, fourth] = [video(), video()];
    screen.pictureInPictureElement = third;
    change(third, fourth);
    await vi.advanceTimersByTimeAsync(500);
    screen.pictureInPictureElement = null;
    screen.isRefusing = false;
    const { asked } = fourth;
    await vi.advanceTimersByTimeAsync(5_000);
    expect([screen.pictureInPictureElement, third.isConnected, fourth.asked]).toEqual([null, false, asked]);
  });

  it("ends at once what has no window", () => {
    const [first, second] = [video(), video()];
    change(first, second);
    expect([first.isConnected, second.asked]).toEqual([false, 0]);
  });
});
