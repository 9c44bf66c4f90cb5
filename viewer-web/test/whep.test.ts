// The WHEP client against a server and a peer connection made up here.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Whep, sessionUrl, type WhepEnding } from "../src/video/whep.ts";

const URL_OF_DOOR = new URL("http://relay.lan/cams/whep/door");

class FakePeer extends EventTarget {
  connectionState: RTCPeerConnectionState = "new";
  iceConnectionState: RTCIceConnectionState = "new";
  iceGatheringState: RTCIceGatheringState = "gathering";
  localDescription = { sdp: "the offer" };
  remote: string | undefined;
  isClosed = false;
  readonly receiver = { track: "the track", transport: Object.assign(new EventTarget(), { state: "new" }), jitterBufferTarget: null, getStats: async () => new Map([["in", { type: "inbound-rtp", packetsReceived: this.packets }]]) };
  /** Received so far; `flows` makes more of them. */
  packets = 0;

  addTransceiver(): { receiver: FakePeer["receiver"] } {
    return { receiver: this.receiver };
  }
  async setLocalDescription(): Promise<void> {}
  async setRemoteDescription(answer: { sdp: string }): Promise<void> {
    this.remote = answer.sdp;
  }
  close(): void {
    this.isClosed = true;
  }
  /** Packets come until the answer is called. */
  flows(everyMs = 100): () => void {
    const timer = setInterval(() => this.packets++, everyMs);
    return () => clearInterval(timer);
  }
  /** It knows all addresses of its own. */
  gathered(): void {
    this.iceGatheringState = "complete";
    this.dispatchEvent(new Event("icegatheringstatechange"));
  }
  becomes(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }
}

interface Request {
  url: string;
  method: string;
}

/** A client whose server answers the offer with `response`. */
function start(response: () => Response | Promise<Response>) {
  const peer = new FakePeer();
  const requests: Request[] = [];
  const signals: (AbortSignal | null | undefined)[] = [];
  const streams: unknown[] = [];
  const endings: WhepEnding[] = [];
  const whep = new Whep(URL_OF_DOOR, { onStream: (stream) => streams.push(stream), onDown: (ending) => endings.push(ending) }, {
    connect: () => peer as unknown as RTCPeerConnection,
    fetch: async (url, init) => {
      requests.push({ url: url.href, method: init.method ?? "" });
      signals.push(init.signal);
      return init.method === "POST" ? response() : new Response(null, { status: 200 });
    },
  });
  return { whep, peer, requests, signals, streams, endings };
}

const created = (): Response => new Response("the answer", { status: 201, headers: { location: "/whep/door/s1" } });
const refused = (status: number, code: string, headers = {}): Response =>
  new Response(JSON.stringify({ error: { code, message: "why" } }), { status, headers });
const settled = async (): Promise<void> => void (await vi.advanceTimersByTimeAsync(0));

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("MediaStream", class { constructor(readonly tracks: unknown[]) {} });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a connection gives its stream once, and close ends the session at the server", async () => {
  const { whep, peer, requests, streams, endings } = start(created);
  await settled();
  expect(peer.remote).toBe("the answer");
  expect(peer.receiver.jitterBufferTarget).toBe(0);
  peer.becomes("connecting");
  peer.becomes("connected");
  peer.flows();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(streams).toEqual([{ tracks: ["the track"] }]);
  whep.close();
  expect(peer.isClosed).toBe(true);
  expect(requests.at(-1)).toEqual({ url: "http://relay.lan/cams/whep/door/s1", method: "DELETE" });
  expect(endings).toEqual([]);
});

test("a refusal says whether another way, later or nothing helps", async () => {
  const cases = [
    [refused(415, "unsupported_codec"), "elsewhere", undefined],
    [refused(404, "no_video"), "elsewhere", undefined],
    [refused(503, "at_capacity", { "retry-after": "2" }), "later", 2000],
    [refused(404, "unknown_camera"), "none", undefined],
    [new Response("<html>Bad gateway", { status: 502 }), "later", undefined],
  ] as const;
  for (const [response, remedy, retryAfterMs] of cases) {
    const { peer, endings } = start(() => response);
    await settled();
    expect(endings).toMatchObject([{ remedy, retryAfterMs }]);
    expect(peer.isClosed).toBe(true);
  }
});

test("a server whose packets do not come through is given up in 4 s, for another way", async () => {
  const { peer, requests, endings } = start(created);
  await settled();
  peer.becomes("connecting");
  await vi.advanceTimersByTimeAsync(3_900);
  expect(endings).toEqual([]);
  await vi.advanceTimersByTimeAsync(200);
  expect(endings).toMatchObject([{ code: "unreachable", remedy: "elsewhere" }]);
  expect(requests.at(-1)?.method).toBe("DELETE");
});

test("a hiccup is no loss, 3 s without connection are", async () => {
  const { peer, endings } = start(created);
  await settled();
  peer.becomes("connected");
  peer.flows();
  peer.becomes("disconnected");
  await vi.advanceTimersByTimeAsync(2_000);
  peer.becomes("connected");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(endings).toEqual([]);
  peer.becomes("disconnected");
  await vi.advanceTimersByTimeAsync(3_100);
  expect(endings).toMatchObject([{ code: "lost", remedy: "later" }]);
});

test("a connection without packets for 2 s is over, as a server that was killed cannot tell", async () => {
  const { peer, requests, endings } = start(created);
  await settled();
  peer.becomes("connected");
  const stop = peer.flows();
  await vi.advanceTimersByTimeAsync(10_000);
  stop();
  await vi.advanceTimersByTimeAsync(1_900);
  expect(endings).toEqual([]);
  await vi.advanceTimersByTimeAsync(700);
  expect(endings).toMatchObject([{ code: "lost", remedy: "later" }]);
  expect(requests.at(-1)?.method).toBe("DELETE");
});

test("a camera with a picture every 3 s is waited for accordingly", async () => {
  const { peer, endings } = start(created);
  await settled();
  peer.becomes("connected");
  const stop = peer.flows(3_000);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(endings).toEqual([]);
  stop();
  await vi.advanceTimersByTimeAsync(13_000);
  expect(endings).toMatchObject([{ code: "lost" }]);
});

test("a goodbye of the server is noticed at once", async () => {
  const { peer, endings } = start(created);
  await settled();
  peer.becomes("connected");
  peer.receiver.transport.state = "closed";
  peer.receiver.transport.dispatchEvent(new Event("statechange"));
  expect(endings).toMatchObject([{ code: "lost", remedy: "later" }]);
});

test("close takes an offer back that is not answered yet", async () => {
  const { whep, requests, signals, endings } = start(() => new Promise<Response>(() => {}));
  await settled();
  expect(signals.map((signal) => signal?.aborted)).toEqual([false]);
  whep.close();
  expect(signals.map((signal) => signal?.aborted)).toEqual([true]);
  expect([requests.length, endings.length]).toEqual([1, 0]);
});

test("a session whose answer is cut off by close is ended all the same", async () => {
  const { whep, requests, signals } = start(() => {
    const body = new ReadableStream({ start: (stream) => signals[0]?.addEventListener("abort", () => stream.error(new DOMException("aborted", "AbortError"))) });
    return new Response(body, { status: 201, headers: { location: "/whep/door/s1" } });
  });
  await settled();
  whep.close();
  await settled();
  expect(requests.map((request) => request.method)).toEqual(["POST", "DELETE"]);
});

test("a session that is answered after close is ended all the same", async () => {
  let answer: (response: Response) => void = () => {};
  const { whep, requests, streams, endings } = start(() => new Promise((resolve) => (answer = resolve)));
  await settled();
  whep.close();
  answer(created());
  await settled();
  expect(requests.map((request) => request.method)).toEqual(["POST", "DELETE"]);
  expect(streams).toEqual([]);
  expect(endings).toEqual([]);
});

test("a server that is away is for later, a browser without WebRTC for another way", async () => {
  const away = start(() => Promise.reject(new TypeError("Failed to fetch")));
  await settled();
  expect(away.endings).toMatchObject([{ code: "no_answer", remedy: "later" }]);
  const endings: WhepEnding[] = [];
  new Whep(URL_OF_DOOR, { onStream: () => {}, onDown: (ending) => endings.push(ending) }, {
    connect: () => { throw new ReferenceError("RTCPeerConnection is not defined"); },
    fetch: () => Promise.reject(new Error("not reached")),
  });
  await settled();
  expect(endings).toMatchObject([{ code: "no_webrtc", remedy: "elsewhere" }]);
});

test("the session's address keeps the path that this page knows the server by", () => {
  const at = (location: string | null): string | undefined => sessionUrl(URL_OF_DOOR, location)?.href;
  expect(at("/whep/door/s1")).toBe("http://relay.lan/cams/whep/door/s1");
  expect(at("http://10.0.0.1:8081/whep/door/s1?x")).toBe("http://relay.lan/cams/whep/door/s1");
  expect(at(null)).toBeUndefined();
});

test("a browser that tries none of the server's addresses is not waited for, one that is only slow is", async () => {
  const none = start(created);
  const slow = start(created);
  await settled();
  for (const { peer } of [none, slow]) peer.gathered();
  slow.peer.iceConnectionState = "checking";
  await vi.advanceTimersByTimeAsync(1_000);
  expect(none.endings).toMatchObject([{ code: "unreachable", remedy: "elsewhere" }]);
  expect(slow.endings).toEqual([]);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(slow.endings).toMatchObject([{ code: "unreachable", remedy: "elsewhere" }]);
});
