// What the page remembers of the last visit: everything that its form sets, so that a phone on a shelf need not be
// set up twice. Kept as a query, so that storage and address are read by the same rules; the address wins.

import { DEFAULT_OPTIONS, readOptions, writeOptions, type Options } from "./options.ts";

const KEY = "framecast.capture";

export function recall(): Options {
  try {
    return readOptions(new URLSearchParams(localStorage.getItem(KEY) ?? ""));
  } catch {
    // Storage may be switched off; then nothing is remembered.
    return DEFAULT_OPTIONS;
  }
}

export function remember(options: Options): void {
  try {
    localStorage.setItem(KEY, writeOptions(options).toString());
  } catch {
    // As above.
  }
}

/** The address that goes on with what was chosen when it is loaded again: what it names may not win over that. */
export function addressOf(options: Options, page: string): URL {
  const address = new URL(page);
  for (const [key, value] of writeOptions(options)) {
    if (key === "camera" || (key === "name" && value !== "") || address.searchParams.has(key)) address.searchParams.set(key, value);
  }
  return address;
}
