// How the person likes the wall: the order of the cameras and the layout. Kept in the browser's storage.

import { isCameraId } from "@framecast/shared/camera-id";
import { Observable } from "@framecast/shared/observable";
import { isLayout, type Layout } from "./layout.ts";
import { moved } from "./order.ts";

const ORDER_KEY = "framecast.viewer.order";
const LAYOUT_KEY = "framecast.viewer.layout";

export class Arrangement {
  readonly order = new Observable<readonly string[]>(readOrder());

  /** Puts `id` where `target` is, among the cameras that are shown. */
  move(shown: readonly string[], id: string, target: string): void {
    const order = moved(this.order.value, shown, id, target);
    this.order.set(order);
    write(ORDER_KEY, JSON.stringify(order));
  }

  get layout(): Layout {
    const kept = read(LAYOUT_KEY);
    return isLayout(kept) ? kept : "auto";
  }

  keepLayout(layout: Layout): void {
    write(LAYOUT_KEY, layout);
  }
}

function readOrder(): string[] {
  try {
    const kept: unknown = JSON.parse(read(ORDER_KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((id): id is string => typeof id === "string" && isCameraId(id)) : [];
  } catch {
    return [];
  }
}

// Storage may be forbidden or full; the wall works without.
function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Forgotten with the page, then.
  }
}
