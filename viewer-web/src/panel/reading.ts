// What the panel reads once a second: the server's counters and this page's figures. No network here, only the
// reading of answers.

import { asNumber, asText, type Message } from "@framecast/shared/wire/json";

/** Counts since the server started, by reason. */
export type Drops = Readonly<Record<string, number>>;

export interface ServerCamera {
  id: string;
  fps: number;
  bytesPerSecond: number;
  viewers: number;
  drops: Drops;
}

export interface ServerReading {
  version: string;
  /** Frames and bytes handed to viewers since the start, by WebSocket and MJPEG. */
  sentFrames: number;
  sentBytes: number;
  viewers: number;
  drops: Drops;
  cameras: ServerCamera[];
}

/** What this page tells of a camera; see `framecastStats()`. */
export interface PageCamera {
  shown: number;
  /** Frames that came and that a newer one overtook before they were drawn. */
  skipped: number;
  /** Frames that came and could not be decoded. */
  broken: number;
  /** The newest ages when shown, in milliseconds. */
  ageMs: readonly number[];
  kilobytesPerSecond: number;
}

export interface Reading {
  /** This page's clock, Unix milliseconds. */
  atMs: number;
  /** `undefined`: the server did not answer. */
  server: ServerReading | undefined;
  page: Readonly<Record<string, PageCamera>>;
}

/** Reads the answer of `/api/stats`; figures that are not there count as 0. */
export function readServer(answer: Message | undefined): ServerReading | undefined {
  const server = object(answer?.["server"]);
  if (answer === undefined || server === undefined) return undefined;
  const sent = [object(server["stream"]), object(server["mjpeg"])];
  const cameras: unknown = answer["cameras"];
  return {
    version: asText(server["version"]) ?? "",
    sentFrames: sum(sent.map((door) => asNumber(door?.["frames"]) ?? 0)),
    sentBytes: sum(sent.map((door) => asNumber(door?.["bytes"]) ?? 0)),
    viewers: asNumber(server["viewers"]) ?? 0,
    drops: readDrops(server["drops"]),
    cameras: (Array.isArray(cameras) ? cameras : []).flatMap((item: unknown) => {
      const camera = object(item);
      const id = asText(camera?.["id"]);
      if (camera === undefined || id === undefined) return [];
      return [{ id, fps: asNumber(camera["fps"]) ?? 0, bytesPerSecond: asNumber(camera["bytes_per_s"]) ?? 0, viewers: asNumber(camera["viewers"]) ?? 0, drops: readDrops(camera["drops"]) }];
    }),
  };
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function object(value: unknown): Message | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Message) : undefined;
}

function readDrops(value: unknown): Drops {
  return Object.fromEntries(Object.entries(object(value) ?? {}).flatMap(([reason, count]) => (asNumber(count) === undefined ? [] : [[reason, count as number]])));
}
