import { describe, expect, it } from "vitest";
import { describeCameraError } from "../src/media/camera.ts";
import { CaptureTime } from "../src/media/capture-time.ts";
import { fit } from "../src/media/encoded.ts";

describe("fit", () => {
  const most = { width: 640, height: 480 };
  it.each([
    [1280, 720, 640, 360],
    [720, 1280, 270, 480],
    [640, 480, 640, 480],
    [320, 240, 320, 240],
    [10_000, 1, 640, 1],
  ])("%dx%d becomes %dx%d", (width, height, fittedWidth, fittedHeight) => {
    expect(fit(width, height, most)).toEqual({ width: fittedWidth, height: fittedHeight });
  });
});

describe("CaptureTime", () => {
  it("follows the timestamps, not the arrivals", () => {
    const time = new CaptureTime();
    expect(time.of(0, 1_000_000)).toBe(1_000_000);
    expect(time.of(33_000, 1_060_000)).toBe(1_033_000);
    expect(time.of(66_000, 1_065_000)).toBe(1_065_000);
    expect(time.of(99_000, 1_120_000)).toBe(1_098_000);
  });

  it("follows a camera whose clock drifts", () => {
    const time = new CaptureTime();
    // A timestamp clock that is 0.1 % slow: after a minute it is 60 ms behind.
    for (let trueUs = 0; trueUs <= 60_000_000; trueUs += 33_333) {
      const errorUs = time.of(trueUs * 0.999, 5_000_000 + trueUs) - (5_000_000 + trueUs);
      expect(Math.abs(errorUs)).toBeLessThanOrEqual(20_100);
    }
  });

  it("starts anew when the camera's clock jumps", () => {
    const time = new CaptureTime();
    time.of(5_000_000, 1_000_000);
    expect(time.of(0, 1_033_000)).toBe(1_033_000);
  });
});

describe("describeCameraError", () => {
  const named = (name: string): Error => Object.assign(new Error("x"), { name });
  it("says what to do", () => {
    expect(describeCameraError(named("NotAllowedError")).message).toMatch(/blocked.*Allow/);
    expect(describeCameraError(named("NotFoundError")).message).toMatch(/No camera/);
    expect(describeCameraError(named("NotReadableError")).message).toMatch(/Another program/);
    expect(describeCameraError("odd").message).toBe("The camera could not be opened.");
  });

  it("waits only for what can come back by itself", () => {
    expect(describeCameraError(named("NotFoundError")).mayReturn).toBe(true);
    expect(describeCameraError(named("NotAllowedError")).mayReturn).toBe(false);
  });
});
