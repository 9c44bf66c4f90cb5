import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Player, type Phase, type Transport } from "../src/player.ts";
import type { OpenSource, SourceEvents, Wish } from "../src/source/source.ts";

const picture = { jpeg: new Uint8Array(0), seq: 1n, capturedUs: 0, receivedUs: 0 };

describe("Player", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  interface Opened {
    transport: Transport;
    events: SourceEvents;
    closed: boolean;
    /** Asked for, one after the other. */
    sizes: Wish["size"][];
  }

  function play(only?: Transport): { opened: Opened[]; newest: () => Opened; phases: Phase[]; player: Player } {
    const opened: Opened[] = [];
    const phases: Phase[] = [];
    const open = (transport: Transport): OpenSource => (wish, _clock, events) => {
      const one: Opened = { transport, events, closed: false, sizes: [wish.size] };
      opened.push(one);
      return { shown: () => undefined, resize: (size) => one.sizes.push(size), close: () => (one.closed = true) };
    };
    const none = (): void => undefined;
    const player = new Player(
      { server: new URL("http://cams.example/"), camera: "door", maxFps: undefined, size: 320 },
      only,
      { onPhase: (phase) => phases.push(phase), onPicture: none, onPresence: none },
      { ws: open("ws"), mjpeg: open("mjpeg"), rest: open("rest") },
    );
    player.start();
    const newest = (): Opened => {
      const last = opened.at(-1);
      if (last === undefined) throw new Error("nothing was opened");
      return last;
    };
    return { opened, newest, phases, player };
  }

  const fail = ({ events }: Opened): void => {
    events.onDown("unreached", "closed door");
    vi.advanceTimersByTime(15_000);
  };

  it("tries each way twice, and begins anew after the last", () => {
    const { opened, newest } = play();
    for (let attempt = 0; attempt < 6; attempt += 1) fail(newest());
    expect(opened.map(({ transport }) => transport)).toEqual(["ws", "ws", "mjpeg", "mjpeg", "rest", "rest", "ws"]);
  });

  it("keeps to the one that is asked for", () => {
    const { opened, newest } = play("rest");
    for (let attempt = 0; attempt < 3; attempt += 1) fail(newest());
    expect(new Set(opened.map(({ transport }) => transport))).toEqual(new Set(["rest"]));
  });

  it("counts a way as working only once it brought a picture", () => {
    const { newest } = play();
    newest().events.onUp();
    fail(newest());
    newest().events.onUp();
    fail(newest());
    expect(newest().transport).toBe("mjpeg");
    newest().events.onPicture(picture);
    fail(newest());
    expect(newest().transport).toBe("mjpeg");
  });

  it("goes back to the best way when one that worked is lost", () => {
    const { newest } = play();
    fail(newest());
    fail(newest());
    expect(newest().transport).toBe("mjpeg");
    newest().events.onDown("lost", "gone");
    vi.advanceTimersByTime(15_000);
    expect(newest().transport).toBe("ws");
  });

  it("says why it is refused and asks again, seldom, the same way", () => {
    const { opened, newest, phases } = play();
    newest().events.onDown("refused", "Not this page.");
    expect(phases.at(-1)).toEqual({ name: "refused", reason: "Not this page.", by: "refused" });
    vi.advanceTimersByTime(14_000);
    expect(opened).toHaveLength(1);
    vi.advanceTimersByTime(2_000);
    expect(opened.map(({ transport }) => transport)).toEqual(["ws", "ws"]);
  });

  it("asks for another size on the way that runs, and from the next as it begins", () => {
    const { newest, player } = play();
    player.resize(320);
    player.resize(640);
    expect(newest().sizes).toEqual([320, 640]);
    newest().events.onDown("lost", "gone");
    player.resize("source");
    vi.advanceTimersByTime(15_000);
    expect(newest().sizes).toEqual(["source"]);
  });

  it("opens nothing more once it was stopped", () => {
    const { opened, newest, player } = play();
    newest().events.onDown("lost", "gone");
    player.stop();
    vi.advanceTimersByTime(60_000);
    expect(opened).toHaveLength(1);
  });
});
