import { describe, expect, it } from "vitest";
import { findTarget, freeId, isLoopback, readAddresses, withCamera } from "../src/qr/target.ts";

const find = (page: string, ...addresses: string[]): { pages: string[]; obstacle: string | undefined } => {
  const { pages, obstacle } = findTarget(new URL(page), addresses);
  return { pages: pages.map(({ href }) => href), obstacle };
};

describe("where a phone is to go", () => {
  it("goes where this page is, if that is no loopback address", () => {
    expect(find("https://cams.example.org/capture/")).toEqual({ pages: ["https://cams.example.org/capture/"], obstacle: undefined });
    expect(find("http://192.0.2.7:8080/", "198.51.100.1:8080")).toEqual({ pages: ["http://192.0.2.7:8080/"], obstacle: "insecure" });
  });

  it("takes the machine's other addresses where this page is on the machine itself", () => {
    expect(find("http://localhost:8080/", "192.0.2.7:8080", "[2001:db8::7]:8080")).toEqual({ pages: ["http://192.0.2.7:8080/", "http://[2001:db8::7]:8080/"], obstacle: "insecure" });
  });

  it("says so where no other machine reaches the server", () => {
    expect(find("http://127.0.0.1:8080/")).toEqual({ pages: ["http://127.0.0.1:8080/"], obstacle: "loopback" });
    expect(find("http://127.0.0.1:8080/", "no address")).toMatchObject({ obstacle: "loopback" });
  });

  it("knows loopback by all its names", () => {
    for (const host of ["localhost", "cams.localhost", "127.0.0.1", "127.9.9.9", "[::1]"]) expect(isLoopback(host), host).toBe(true);
    for (const host of ["192.0.2.7", "localhost.example.org", "1270.example"]) expect(isLoopback(host), host).toBe(false);
  });

  it("reads addresses of a server that tells them and of one that does not", () => {
    expect(readAddresses({ ingest_addresses: ["192.0.2.7:8080", 3] })).toEqual(["192.0.2.7:8080"]);
    for (const info of [undefined, {}, { ingest_addresses: "192.0.2.7" }]) expect(readAddresses(info)).toEqual([]);
  });

  it("names a camera that there is not yet", () => {
    expect(freeId([])).toBe("phone");
    expect(freeId(["phone", "phone-2"])).toBe("phone-3");
    expect(withCamera(new URL("https://x.example/?name=a"), "phone-3").href).toBe("https://x.example/?name=a&camera=phone-3");
  });
});
