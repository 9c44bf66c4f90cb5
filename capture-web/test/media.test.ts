import { describe, expect, it } from "vitest";
import { findCamera } from "../src/media/camera.ts";
import { CaptureTime } from "../src/media/capture-time.ts";
import { fit } from "../src/media/encoded.ts";
import { describeCameraError } from "../src/media/trouble.ts";
import { sizesFor } from "../src/ui/sizes.ts";

describe("fit", () => {
  const most = { width: 640, height: 480 };
  it.each([
    [1280, 720, 640, 360],
    [720, 1280, 360, 640],
    [480, 640, 480, 640],
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
  const kind = (name: string, chosen = false, message = "x"): string => describeCameraError(Object.assign(new Error(message), { name }), chosen).kind;

  it("tells troubles apart by what a person can do", () => {
    expect(kind("NotAllowedError")).toBe("denied");
    expect(kind("NotAllowedError", false, "Permission denied by system")).toBe("system-denied");
    expect(kind("NotFoundError")).toBe("none");
    expect(kind("NotReadableError")).toBe("in-use");
    expect(kind("OverconstrainedError", true)).toBe("missing");
    expect(kind("OverconstrainedError")).toBe("unknown");
    expect(describeCameraError("odd").message).toBe("The camera could not be opened.");
  });

  it("waits only for what can come back by itself", () => {
    const waits = (name: string): boolean => describeCameraError(Object.assign(new Error("x"), { name })).mayReturn;
    expect(["NotFoundError", "NotReadableError"].map(waits)).toEqual([true, true]);
    expect(["NotAllowedError", "TypeError"].map(waits)).toEqual([false, false]);
  });
});

describe("findCamera", () => {
  const cameras = [{ deviceId: "a1", label: "Front Camera" }, { deviceId: "b2", label: "Logitech C920" }];
  it("takes an id, or a part of a name", () => {
    expect(findCamera("b2", cameras)?.deviceId).toBe("b2");
    expect(findCamera("logitech", cameras)?.deviceId).toBe("b2");
    expect(findCamera("none such", cameras)).toBeUndefined();
  });
});

describe("sizesFor", () => {
  const names = (sizes: { width: number; height: number }[]): string[] => sizes.map(({ width, height }) => `${width}x${height}`);
  const vga = { width: 640, height: 480 };

  it("goes up to 1280 × 720 before a camera is known, and as far as it can when it is", () => {
    expect(names(sizesFor(vga)).at(-1)).toBe("1280x720");
    expect(names(sizesFor(vga, { width: 1920, height: 1080 })).at(-1)).toBe("1920x1080");
    expect(names(sizesFor(vga, { width: 640, height: 480 }))).toEqual(["320x240", "640x360", "640x480"]);
    expect(names(sizesFor(vga, { width: 1080, height: 1920 })).at(-1)).toBe("1920x1080");
  });

  it("lists what was chosen, whatever the camera can", () => {
    expect(names(sizesFor({ width: 800, height: 600 }, { width: 640, height: 480 }))).toEqual(["320x240", "640x360", "640x480", "800x600"]);
  });
});
