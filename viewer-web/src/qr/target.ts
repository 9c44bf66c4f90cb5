// Where a phone is to go: the capture page, by an address that the phone can reach, and what would keep it from
// using its camera there. No DOM.

import { asText, type Message } from "@framecast/shared/wire/json";

/** The `HOST:PORT`s of `/api/info` by which other machines reach the ingest port. */
export function readAddresses(info: Message | undefined): string[] {
  const list: unknown = info?.["ingest_addresses"];
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => asText(item) ?? []);
}

/** What stands between a phone and its camera. */
export type Obstacle =
  /** No other machine reaches the server. */
  | "loopback"
  /** Browsers lend a camera to `https` pages only. */
  | "insecure"
  | undefined;

export interface Target {
  /** The pages that a phone may open, the likeliest first; never empty. */
  pages: URL[];
  obstacle: Obstacle;
}

export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" || /^127\./.test(hostname);
}

/** `capturePage`: as this page's own machine reaches it. */
export function findTarget(capturePage: URL, addresses: readonly string[]): Target {
  if (!isLoopback(capturePage.hostname)) return { pages: [capturePage], obstacle: capturePage.protocol === "https:" ? undefined : "insecure" };
  const pages = addresses.flatMap((address) => URL.parse(`${capturePage.protocol}//${address}/`) ?? []);
  if (pages.length === 0) return { pages: [capturePage], obstacle: "loopback" };
  return { pages, obstacle: capturePage.protocol === "https:" ? undefined : "insecure" };
}

/** An id that no camera has: `phone`, `phone-2`, … */
export function freeId(taken: readonly string[]): string {
  for (let number = 1; ; number += 1) {
    const id = number === 1 ? "phone" : `phone-${number}`;
    if (!taken.includes(id)) return id;
  }
}

export function withCamera(page: URL, camera: string): URL {
  const url = new URL(page);
  url.searchParams.set("camera", camera);
  return url;
}
