import { expect, test } from "vitest";
import { Turns } from "../src/video/turns.ts";
import type { Way, WayEnding, WayEvents } from "../src/video/way.ts";

const VIDEO = {} as HTMLVideoElement;

/** Turns whose ways do what the test says, each known by its camera. */
function wall() {
  const opened: string[] = [];
  const closed: string[] = [];
  const events = new Map<string, WayEvents>();
  const heard: string[] = [];
  const turns = new Turns((_rung, camera, _video, its) => {
    opened.push(camera);
    events.set(camera, its);
    return { figures: { bytesPerSecond: 7, latencyMs: 50 }, close: () => closed.push(camera) };
  });
  const asks = (camera: string): Way =>
    turns.open("whep", camera, VIDEO, { onPlaying: () => heard.push(`${camera} plays`), onEnd: ({ ending }) => heard.push(`${camera} ${ending}`) });
  const says = async (camera: string, what: "answered" | "plays" | WayEnding): Promise<void> => {
    const its = events.get(camera);
    if (what === "answered") its?.onAnswered?.();
    else if (what === "plays") its?.onPlaying();
    else its?.onEnd({ ending: what, reason: "" });
    await Promise.resolve();
  };
  return { opened, closed, heard, asks, says };
}

test("three wait for an answer at a time, and each that is answered or ends lets the next begin", async () => {
  const { opened, heard, asks, says } = wall();
  const ways = ["a", "b", "c", "d", "e", "f"].map(asks);
  expect(opened).toEqual(["a", "b", "c"]);
  expect(ways.map((way) => way.figures.bytesPerSecond)).toEqual([7, 7, 7, 0, 0, 0]);
  await says("b", "answered");
  expect(opened.at(-1)).toBe("d");
  // It has had its turn: no further one begins for it.
  await says("b", "plays");
  await says("b", "lost");
  expect(opened).toHaveLength(4);
  await says("a", "failed");
  ways[2]?.close();
  await Promise.resolve();
  expect(opened).toEqual(["a", "b", "c", "d", "e", "f"]);
  expect(heard).toEqual(["b plays", "b lost", "a failed"]);
});

test("what goes out of sight waits no longer, and nothing begins because all of it goes", async () => {
  const { opened, closed, asks } = wall();
  for (const way of ["a", "b", "c", "d", "e"].map(asks)) way.close();
  await Promise.resolve();
  expect([opened, closed]).toEqual([["a", "b", "c"], ["a", "b", "c"]]);
  asks("f");
  expect(opened.at(-1)).toBe("f");
});

test("cameras that were away let the others go before, until they are back", async () => {
  const { opened, asks, says } = wall();
  for (const camera of ["gone", "b", "c"]) asks(camera);
  await says("gone", "unavailable");
  for (const camera of ["d", "gone", "e", "f"]) asks(camera);
  await says("b", "answered");
  await says("c", "answered");
  expect(opened.slice(3)).toEqual(["d", "e", "f"]);
  await says("d", "answered");
  expect(opened.at(-1)).toBe("gone");
  await says("gone", "answered");
  for (const camera of ["g", "gone", "h"]) asks(camera);
  await says("e", "answered");
  expect(opened.slice(-2)).toEqual(["g", "gone"]);
});
