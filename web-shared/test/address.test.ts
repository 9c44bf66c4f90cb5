import { describe, expect, it } from "vitest";
import { httpUrl, webSocketUrl } from "../src/address.ts";
import { isCameraId } from "../src/camera-id.ts";

describe("addresses", () => {
  it("default to the page's own origin", () => {
    expect(webSocketUrl("signal", undefined, "http://10.0.0.2:8080/?camera=a").href).toBe("ws://10.0.0.2:8080/signal");
    expect(webSocketUrl("signal", "", "https://cams.example/index.html").href).toBe("wss://cams.example/signal");
  });

  it("keep the folder of a base", () => {
    expect(httpUrl("api/cameras", "https://example.org/framecast", "http://elsewhere/").href).toBe("https://example.org/framecast/api/cameras");
    expect(webSocketUrl("stream", "https://example.org/framecast/", "http://elsewhere/").href).toBe("wss://example.org/framecast/stream");
  });
});

describe("camera ids", () => {
  it.each(["door", "7", "North.Gate_2-b", "x".repeat(64)])("takes %s", (id) => expect(isCameraId(id)).toBe(true));
  it.each(["", ".door", "-a", "a/b", "a b", "ä", "x".repeat(65), "door\n"])("refuses %j", (id) => expect(isCameraId(id)).toBe(false));
});
