import { describe, expect, it } from "vitest";
import { readCameras, readFound, readPresets, readStatus, type SetUpCamera } from "../src/setup/api.ts";
import { bodyOf, check, fieldOf, formOf, idFor, isEncrypted, NEW, presetOf, sourceOf, testOf, withHost, withPreset, type Form } from "../src/setup/form.ts";
import { describeCamera, describeFound } from "../src/setup/words.ts";

const rtsp: Form = { ...NEW, id: "door", name: "Front door", host: "192.0.2.7", username: "admin", password: "secret" };

function camera(more: Record<string, unknown> = {}): SetUpCamera {
  const source = { type: "rtsp", url: "rtsp://192.0.2.7:554/stream1", host: "192.0.2.7", port: 554, path: "/stream1", username: "admin", has_password: true };
  const [read] = readCameras({ cameras: [{ id: "door", name: "Front door", online: false, reason: "gone", viewers: 2, source, on_demand: true, max_viewers: 0, rtsp_transport: "tcp", jpeg_fps: 5, ...more }] });
  if (read === undefined) throw new Error("not read");
  return read;
}

describe("the form of a camera", () => {
  it("makes a whole body of a new camera", () => {
    expect(bodyOf(rtsp, undefined)).toEqual({
      id: "door", name: "Front door", location: null, source: { type: "rtsp", host: "192.0.2.7", port: 554, path: "/stream1", username: "admin", password: "secret" },
      on_demand: true, max_viewers: 0, rtsp_transport: "tcp", jpeg_fps: 5, substream_url: null,
    });
  });

  it("leaves out what is not typed, and the login that is in an address", () => {
    const source = (form: Form): unknown => bodyOf(form, undefined)["source"];
    expect(source({ ...rtsp, username: "", password: "" })).toEqual({ type: "rtsp", host: "192.0.2.7", port: 554, path: "/stream1" });
    expect(source({ ...rtsp, whole: true, url: " rtsp://eve:pw@192.0.2.9/live ", username: "", password: "" })).toEqual({ type: "rtsp", url: "rtsp://eve:pw@192.0.2.9/live" });
    expect(source({ ...rtsp, kind: "mjpeg", url: "http://192.0.2.9/v.mjpg", username: "", password: "" })).toEqual({ type: "mjpeg", url: "http://192.0.2.9/v.mjpg" });
    expect(source({ ...rtsp, kind: "push" })).toEqual({ type: "push" });
  });

  it("sends of a change what differs, and a password only where one is typed", () => {
    const before = formOf(camera());
    expect(before.password).toBe("");
    expect(bodyOf(before, before)).toEqual({});
    expect(bodyOf({ ...before, name: "Back door" }, before)).toEqual({ name: "Back door" });
    expect(bodyOf({ ...before, name: "" }, before)).toEqual({ name: null });
    expect(bodyOf({ ...before, path: "/live" }, before)).toEqual({ source: { type: "rtsp", host: "192.0.2.7", port: 554, path: "/live", username: "admin" } });
    expect(bodyOf({ ...before, password: "new" }, before)).toMatchObject({ source: { password: "new" } });
    expect(bodyOf({ ...before, dropPassword: true, username: "" }, before)).toMatchObject({ source: { username: null, password: null } });
    expect(bodyOf({ ...before, onDemand: false }, before)).toEqual({ on_demand: false });
  });

  it("is tested with the password that is kept, where there is one", () => {
    const where = { type: "rtsp", host: "192.0.2.7", port: 554, path: "/stream1" };
    expect(testOf(formOf(camera()), true)).toEqual({ id: "door", source: { ...where, username: "admin" }, rtsp_transport: "tcp" });
    expect(testOf({ ...rtsp, username: "", password: "" }, false)).toEqual({ source: where, rtsp_transport: "tcp" });
  });

  it("keeps an address whole that host and port do not say", () => {
    const source = { type: "rtsp", url: "rtsps://192.0.2.7:322/a", host: "192.0.2.7", port: 322, path: "/a", has_password: false };
    expect(formOf(camera({ source }))).toMatchObject({ whole: true, url: "rtsps://192.0.2.7:322/a" });
  });

  it("asks for the certificate's fingerprint where the connection is encrypted", () => {
    const tls_fingerprint = "AB:CD";
    const source = { type: "rtsp", url: "rtsps://192.0.2.7:322/a", host: "192.0.2.7", port: 322, path: "/a", has_password: false, tls_fingerprint };
    const form = formOf(camera({ source }));
    expect(isEncrypted(form) && !isEncrypted(rtsp) && !isEncrypted({ ...form, url: "rtsp://192.0.2.7/a" })).toBe(true);
    expect(sourceOf(form)).toMatchObject({ url: "rtsps://192.0.2.7:322/a", tls_fingerprint });
    expect(sourceOf({ ...form, fingerprint: " " })).toHaveProperty("tls_fingerprint", null);
    expect(sourceOf({ ...form, url: "rtsp://192.0.2.7/a" })).not.toHaveProperty("tls_fingerprint");
    expect(isEncrypted({ ...rtsp, kind: "mjpeg", url: "HTTPS://192.0.2.7/video" })).toBe(true);
    expect(fieldOf("bad_request", "source.tls_fingerprint must be 64 hexadecimal digits.", form)).toBe("fingerprint");
  });

  it("says what is wrong before the server has to", () => {
    expect(check(rtsp, true)).toEqual({});
    expect(Object.keys(check({ ...rtsp, id: "", host: " ", port: "0", path: "live", maxViewers: "-1", jpegFps: "90" }, true)).sort()).toEqual(["host", "id", "jpegFps", "maxViewers", "path", "port"]);
    expect(check({ ...rtsp, id: "" }, false)).toEqual({});
    expect(Object.keys(check({ ...rtsp, kind: "mjpeg", url: "rtsp://x/" }, true))).toEqual(["url"]);
    expect(Object.keys(check({ ...rtsp, whole: true, url: "192.0.2.7" }, true))).toEqual(["url"]);
    expect(check({ ...rtsp, kind: "push", host: "" }, true)).toEqual({});
  });

  it.each([
    ["bad_request", "source.host: not a name or an address.", "host"],
    ["bad_request", "source.url is missing: rtsp://HOST:PORT/PATH, or give source.host.", "host"],
    ["bad_request", "name must be a text of at most 80 characters on one line.", "name"],
    ["bad_request", "max_viewers must be a whole number from 0 to 1000.", "maxViewers"],
    ["bad_request", "source: host, port, protocol or user changed, so the password has to be given again, or as null for none.", "password"],
    ["camera_exists", "camera door is configured already; choose another id, or change that one (PATCH /api/cameras/door).", "id"],
    ["refused_source", "169.254.169.254 is link-local.", "host"],
    ["unauthorized", "The camera refuses this user and password.", "password"],
    ["not_found", "The camera has nothing at this path.", "path"],
    ["catalog_failed", "The disk is full.", undefined],
  ])("puts %s %j at %s", (code, message, field) => {
    expect(fieldOf(code, message, rtsp)).toBe(field);
  });

  it("takes a whole address typed as a host for what it is, and fills in what makers have", () => {
    expect(withHost(NEW, "rtsp://192.0.2.7/x")).toMatchObject({ whole: true, url: "rtsp://192.0.2.7/x", host: "" });
    const presets = readPresets({ presets: [{ id: "axis", name: "Axis", type: "rtsp", port: 554, path: "/axis-media/media.amp", substream_path: null }, { id: 3 }] });
    expect(presets).toHaveLength(1);
    const [axis] = presets;
    if (axis === undefined) throw new Error("no preset");
    const filled = withPreset({ ...NEW, whole: true }, axis);
    expect(filled).toMatchObject({ whole: false, path: "/axis-media/media.amp", port: "554" });
    expect(presetOf(filled, presets)).toBe(axis);
  });

  it("makes an id of a name", () => {
    expect(idFor("Front door", [])).toBe("front-door");
    expect(idFor("Front door", ["front-door", "front-door-2"])).toBe("front-door-3");
    expect(idFor("  Küche / Süd ", [])).toBe("kuche-sud");
    expect(idFor("ドア", [])).toBe("");
  });
});

describe("words of a camera", () => {
  const status = (more: Record<string, unknown>) => readStatus({ is_active: false, reconnect_count: 0, ...more });

  it("tell how its connection is, and when it is tried again", () => {
    expect(describeCamera(camera({ online: true }), status({ is_active: true }), 0)).toMatchObject({ state: "Live", tone: "live", detail: "" });
    expect(describeCamera(camera(), status({ state: "standby" }), 0)).toMatchObject({ state: "Standing by", detail: "Connects when somebody watches." });
    expect(describeCamera(camera(), status({ state: "stopped" }), 0)).toMatchObject({ state: "Stopped" });
    const waiting = status({ state: "waiting", last_error: "connection refused", next_retry_at: 1_700_000_007_000_000 });
    expect(describeCamera(camera(), waiting, 1_700_000_000_000)).toMatchObject({ state: "Offline", tone: "bad", detail: "Connection refused. Next try in 7 s." });
    expect(describeCamera(camera(), undefined, 0)).toMatchObject({ state: "Offline", detail: "Gone." });
  });

  it("tell what is known of its video", () => {
    const live = status({ is_active: true, codec: "h264", width: 1920, height: 1080, fps: 29.97, bitrate: 4_200_000, viewers: 1, reconnect_count: 3 });
    expect(describeCamera(camera(), live, 0).facts).toEqual(["RTSP", "H.264", "1920×1080", "30 fps", "4.2 Mbit/s", "1 viewer", "connected anew 3 times"]);
  });

  it("tell what a test found, and take a failure for one", () => {
    expect(describeFound(readFound({ codec: "h264", width: 640, height: 360, fps: 25, audio: null, took_ms: 430 }))).toBe("H.264, 640×360, 25 fps, no sound. First picture after 0.4 s.");
    expect(describeFound(readFound({ ok: true, found: { codec: "h265", width: 640, height: 360, audio: "mp4a.40.2" } }))).toContain("with sound. Not every browser plays H.265");
    expect(() => readFound({ ok: false, error: { code: "timeout", message: "no answer within 10 s" } })).toThrow("No answer within 10 s.");
  });
});
