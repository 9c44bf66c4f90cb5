import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DEFAULT_OPTIONS, readOptions, writeOptions, type Options } from "../src/options.ts";
import { addressOf, recall, remember } from "../src/remembered.ts";

const read = (query: string): ReturnType<typeof readOptions> => readOptions(new URLSearchParams(query));

describe("readOptions", () => {
  it("has defaults", () => {
    expect(read("")).toEqual(DEFAULT_OPTIONS);
  });

  it("reads everything", () => {
    expect(read("camera=door&autostart=1&name=Front%20door&device=back&fps=15&quality=0.5&width=1280&height=720&fixed=1&preview=0&transport=websocket&delivery=no-retransmit&method=video")).toEqual({
      camera: "door", autostart: true, name: "Front door", device: "back", fps: 15, quality: 0.5, width: 1280, height: 720,
      fixed: true, preview: false,
      transport: "websocket", delivery: "no-retransmit", method: "video",
    });
  });

  it("keeps within bounds", () => {
    expect(read("fps=500&width=9000&height=1&quality=0.001")).toMatchObject({ fps: 30, width: 3840, height: 16, quality: 0.05 });
  });

  it("takes quality as a share or in percent", () => {
    expect(read("quality=70").quality).toBe(0.7);
    expect(read("quality=1").quality).toBe(1);
  });

  it("ignores what cannot be read", () => {
    expect(read("fps=many&transport=pigeon&delivery=&quality=-3&autostart=0")).toEqual(DEFAULT_OPTIONS);
  });

  it("keeps an id that cannot be, so that it is refused and not another camera taken", () => {
    expect(read("camera=bad%20id").camera).toBe("bad id");
    expect(readOptions(new URLSearchParams("camera="), { ...DEFAULT_OPTIONS, camera: "door" }).camera).toBe("door");
  });

  it("takes a bare autostart as yes", () => {
    expect(read("autostart").autostart).toBe(true);
  });
});

const CHOSEN: Options = { ...DEFAULT_OPTIONS, camera: "door", name: "Front & door", device: "USB cam", fps: 12, quality: 0.55, width: 1280, height: 720, fixed: true, preview: false };

describe("what was chosen", () => {
  const stored = new Map<string, string>();

  beforeEach(() => {
    stored.clear();
    vi.stubGlobal("localStorage", { getItem: (key: string) => stored.get(key) ?? null, setItem: (key: string, value: string) => stored.set(key, value) });
  });
  afterEach(() => vi.unstubAllGlobals());

  it("is read again as it was written", () => {
    expect(readOptions(writeOptions(CHOSEN))).toEqual(CHOSEN);
    remember(CHOSEN);
    expect(recall()).toEqual(CHOSEN);
  });

  it("does not include how the page is started or connects", () => {
    remember({ ...CHOSEN, autostart: true, transport: "websocket", method: "canvas" });
    expect(recall()).toEqual(CHOSEN);
  });

  it("gives way to the address", () => {
    remember(CHOSEN);
    expect(readOptions(new URLSearchParams("fps=5&fixed=0"), recall())).toEqual({ ...CHOSEN, fps: 5, fixed: false });
  });

  it("is nothing where storage holds rubbish or is switched off", () => {
    stored.set("framecast.capture", "{\"camera\":1}");
    expect(recall()).toEqual(DEFAULT_OPTIONS);
    vi.stubGlobal("localStorage", undefined);
    expect(recall()).toEqual(DEFAULT_OPTIONS);
    expect(() => remember(CHOSEN)).not.toThrow();
  });

  it("goes into the address where that names it, so that a reload goes on", () => {
    expect(addressOf(CHOSEN, "http://x/?fps=30&autostart=1&transport=webrtc").search).toBe("?fps=12&autostart=1&transport=webrtc&camera=door&name=Front+%26+door");
  });
});
