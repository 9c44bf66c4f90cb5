import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Listed } from "../src/listing.ts";
import { Player } from "../src/video/player.ts";
import type { WayEnding, WayEvents } from "../src/video/way.ts";

/** Elements that only know what the player needs of them. */
class FakeElement {
  className = "";
  readonly dataset: Record<string, string> = {};
  readonly children: FakeElement[] = [];
  srcObject: unknown = null;
  parent: FakeElement | undefined;
  append(child: FakeElement): void {
    child.parent = this;
    this.children.push(child);
  }
  remove(): void {
    this.parent?.children.splice(this.parent.children.indexOf(this), 1);
    this.parent = undefined;
  }
  setAttribute(): void {}
  play(): Promise<void> {
    return Promise.resolve();
  }
  requestVideoFrameCallback(): number {
    return 1;
  }
  cancelVideoFrameCallback(): void {}
}

interface Opened {
  rung: string;
  closed: boolean;
  plays: () => void;
  ends: (ending: WayEnding, code?: string) => void;
}

function player(choice: "auto" | "hls" = "auto"): { it: Player; opened: Opened[]; log: string[]; last: () => Opened; state: () => string } {
  const opened: Opened[] = [];
  const log: string[] = [];
  const it = new Player(
    "door",
    choice,
    (rung, _camera, _video, events: WayEvents) => {
      const one: Opened = { rung, closed: false, plays: events.onPlaying, ends: (ending, code) => events.onEnd({ ending, reason: `It is ${ending}.`, code }) };
      opened.push(one);
      return { figures: { bytesPerSecond: 7, latencyMs: 50 }, close: () => (one.closed = true) };
    },
    { onJpeg: (wanted) => log.push(`jpeg ${wanted}`), onLast: () => log.push("last") },
  );
  const last = (): Opened => {
    const one = opened.at(-1);
    if (one === undefined) throw new Error("nothing was opened");
    return one;
  };
  const state = (): string => {
    const now = it.state.value;
    return "rung" in now ? `${now.phase} ${now.rung}` : now.phase;
  };
  return { it, opened, log, last, state };
}

const listed = (video: Partial<NonNullable<Listed["video"]>>): Listed => ({
  id: "door", source: "rtsp", seq: 0,
  video: { codec: "h264", codecs: "avc1.64001f", audio: undefined, width: 640, height: 360, fps: 30, bitrate: 1e6, generation: 1, ...video },
});

describe("Player", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("document", { createElement: () => new FakeElement() });
    vi.stubGlobal("RTCPeerConnection", class {});
    vi.stubGlobal("RTCRtpReceiver", { getCapabilities: () => ({ codecs: [{ mimeType: "video/H264" }] }) });
    vi.stubGlobal("MediaSource", { isTypeSupported: (type: string) => type.includes("avc1") });
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it("plays WebRTC while it is wanted, and ends it when it is not", () => {
    const { it, last, state, log } = player();
    expect(state()).toBe("idle");
    it.want("watch");
    expect(state()).toBe("opening whep");
    last().plays();
    expect(state()).toBe("playing whep");
    expect(it.figures).toEqual({ bytesPerSecond: 7, latencyMs: 50 });
    it.want("none");
    expect([state(), last().closed, log.join()]).toEqual(["idle", true, "last"]);
    expect(it.stage.children).toHaveLength(0);
  });

  it("goes down to HLS and to JPEG, and asks for JPEGs only there", () => {
    const { it, last, state, log } = player();
    it.want("watch");
    last().ends("failed");
    expect(state()).toBe("opening hls");
    last().ends("failed");
    expect([state(), log.join()]).toEqual(["jpeg", "jpeg true"]);
    it.want("rest");
    expect([state(), log.join()]).toEqual(["resting", "jpeg true,jpeg false"]);
  });

  it("tries the better way beside what plays, and changes over with its first picture", () => {
    const { it, opened, last, state } = player();
    it.want("watch");
    last().ends("failed");
    const hls = last();
    hls.plays();
    vi.advanceTimersByTime(20_000);
    const whep = last();
    expect([whep.rung, hls.closed, state()]).toEqual(["whep", false, "playing hls"]);
    whep.plays();
    expect([hls.closed, state()]).toEqual([true, "playing whep"]);
    // Nothing of the one before is left over.
    hls.ends("lost");
    expect([state(), opened.length]).toEqual(["playing whep", 3]);
  });

  it("goes on as it was where the better way fails again", () => {
    const { it, opened, last, state } = player();
    it.want("watch");
    last().ends("failed");
    last().plays();
    vi.advanceTimersByTime(20_000);
    last().ends("failed");
    expect(state()).toBe("playing hls");
    vi.advanceTimersByTime(39_000);
    expect(opened).toHaveLength(3);
    vi.advanceTimersByTime(2_000);
    expect([opened.length, last().rung]).toEqual([4, "whep"]);
  });

  it("opens a lost way anew, and takes one that does not last for failed", () => {
    const { it, last, state } = player();
    it.want("watch");
    last().plays();
    vi.advanceTimersByTime(60_000);
    last().ends("lost");
    expect(state()).toBe("opening whep");
    last().plays();
    vi.advanceTimersByTime(1_000);
    last().ends("lost");
    expect(state()).toBe("opening hls");
  });

  it("waits where the camera is away, says why, and tries again by itself or when it is back", () => {
    const { it, opened, last, state } = player();
    it.want("watch");
    last().ends("unavailable", "at_capacity");
    expect(it.state.value).toMatchObject({ phase: "waiting", reason: "It is unavailable.", code: "at_capacity" });
    vi.advanceTimersByTime(1_001);
    expect([state(), opened.length]).toEqual(["opening whep", 2]);
    last().ends("unavailable");
    it.hurry();
    expect(state()).toBe("opening whep");
  });

  it("does not try what the browser cannot play", () => {
    const { it, last, state, opened } = player();
    it.learned(listed({ codec: "h265", codecs: "hvc1.1.6.L93.B0" }));
    it.want("watch");
    expect([opened.length, state()]).toEqual([0, "waiting"]);
    expect(it.state.value).toMatchObject({ reason: expect.stringContaining("H.265") });
    // Set to H.264 meanwhile: at once.
    it.learned(listed({ generation: 2 }));
    expect([last().rung, state()]).toEqual(["whep", "opening whep"]);
  });

  it("tries the better ways at once where the server is there again, beside the JPEGs", () => {
    const { it, last, state, opened, log } = player();
    it.want("watch");
    last().ends("failed");
    last().ends("failed");
    expect(state()).toBe("jpeg");
    it.again();
    vi.advanceTimersByTime(1);
    expect([state(), last().rung, opened.length]).toEqual(["jpeg", "whep", 3]);
    // Asked again meanwhile, it does not begin again.
    it.again();
    vi.advanceTimersByTime(1);
    expect(opened).toHaveLength(3);
    last().plays();
    expect([state(), log.join()]).toEqual(["playing whep", "jpeg true,jpeg false"]);
    it.again();
    vi.advanceTimersByTime(1);
    expect(opened).toHaveLength(3);
  });

  it("changes to HLS to be heard, stays there, and goes back to WebRTC when muted", () => {
    const { it, last, state, opened } = player();
    it.learned(listed({ audio: undefined }));
    expect(it.sound.value).toBeUndefined();
    it.learned(listed({ audio: "mp4a.40.2" }));
    expect(it.sound.value).toBe(false);
    it.want("watch");
    last().plays();
    it.listen(true);
    // WebRTC is seen until HLS has a picture.
    expect([state(), last().rung]).toEqual(["playing whep", "hls"]);
    last().plays();
    expect([state(), it.video?.muted]).toEqual(["playing hls", false]);
    vi.advanceTimersByTime(600_000);
    expect(opened).toHaveLength(2);
    it.listen(false);
    expect(it.video?.muted).toBe(true);
    vi.advanceTimersByTime(1);
    last().plays();
    expect([state(), opened.length, it.video?.muted]).toEqual(["playing whep", 3, true]);
  });

  it("is muted again where HLS cannot be had, and plays on", () => {
    const { it, last, state, opened } = player();
    it.learned(listed({ audio: "mp4a.40.2" }));
    it.want("watch");
    const whep = last();
    whep.plays();
    it.listen(true);
    last().ends("failed");
    expect([state(), it.sound.value, whep.closed]).toEqual(["playing whep", false, false]);
    // Changed one's mind before it opened.
    it.listen(true);
    const hls = last();
    it.listen(false);
    expect([hls.closed, state(), opened.length]).toEqual([true, "playing whep", 3]);
  });

  it("leaves nothing open when sound is asked for and not, again and again", () => {
    const { it, last, state, opened } = player();
    it.learned(listed({ audio: "mp4a.40.2" }));
    it.want("watch");
    last().plays();
    it.listen(true);
    last().plays();
    it.listen(false);
    vi.advanceTimersByTime(1);
    const better = last();
    expect(better.rung).toBe("whep");
    it.listen(true);
    // A better way to see would have no sound.
    expect([better.closed, state(), it.video?.muted]).toEqual([true, "playing hls", false]);
    vi.advanceTimersByTime(600_000);
    it.listen(false);
    vi.advanceTimersByTime(1);
    last().plays();
    it.want("none");
    expect(opened.map((one) => one.closed)).toEqual(opened.map(() => true));
  });

  it("does not try again what this browser cannot play, also where that is known late", () => {
    const { it, last, state, opened } = player();
    it.want("watch");
    last().ends("unsupported");
    last().ends("unsupported");
    expect(state()).toBe("jpeg");
    it.learned(listed({ codec: "h265" }));
    expect(state()).toBe("waiting");
    vi.advanceTimersByTime(3_600_000);
    expect([state(), opened.length]).toEqual(["waiting", 2]);
  });

  it("is heard again after it was out of sight", () => {
    const { it, last, state } = player();
    it.learned(listed({ audio: "mp4a.40.2" }));
    it.want("watch");
    last().plays();
    it.listen(true);
    last().plays();
    it.want("none");
    it.want("watch");
    last().plays();
    last().plays();
    expect([state(), it.video?.muted]).toEqual(["playing hls", false]);
  });

  it("keeps to what was asked for", () => {
    const { it, last, state } = player("hls");
    it.want("watch");
    expect(last().rung).toBe("hls");
    last().ends("failed");
    expect(state()).toBe("waiting");
  });
});
