import { describe, expect, it } from "vitest";
import { DEFAULT_OPTIONS, readOptions } from "../src/options.ts";

const read = (query: string): ReturnType<typeof readOptions> => readOptions(new URLSearchParams(query));

describe("readOptions", () => {
  it("has defaults", () => {
    expect(read("")).toEqual(DEFAULT_OPTIONS);
  });

  it("reads everything", () => {
    expect(read("camera=door&autostart=1&name=Front%20door&fps=15&quality=0.5&width=1280&height=720&transport=websocket&delivery=no-retransmit&method=video")).toEqual({
      camera: "door", autostart: true, name: "Front door", fps: 15, quality: 0.5, width: 1280, height: 720,
      transport: "websocket", delivery: "no-retransmit", method: "video",
    });
  });

  it("keeps within bounds", () => {
    expect(read("fps=500&width=9000&height=1&quality=0.001")).toMatchObject({ fps: 60, width: 1280, height: 16, quality: 0.05 });
  });

  it("takes quality as a share or in percent", () => {
    expect(read("quality=70").quality).toBe(0.7);
    expect(read("quality=1").quality).toBe(1);
  });

  it("ignores what cannot be read", () => {
    expect(read("camera=a/b&fps=many&transport=pigeon&delivery=&quality=-3&autostart=0")).toEqual(DEFAULT_OPTIONS);
  });

  it("takes a bare autostart as yes", () => {
    expect(read("autostart").autostart).toBe(true);
  });
});
