// What the page remembers of the last visit: camera id, name and device, so that a phone on a shelf need not be
// set up twice. The address wins over it.

export interface Remembered {
  camera: string;
  name: string;
  deviceId: string;
}

const KEY = "framecast.capture";

export function recall(): Partial<Remembered> {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    if (typeof value !== "object" || value === null) return {};
    return Object.fromEntries(Object.entries(value).filter(([key, text]) => ["camera", "name", "deviceId"].includes(key) && typeof text === "string"));
  } catch {
    // Storage may be switched off or hold anything; then nothing is remembered.
    return {};
  }
}

export function remember(values: Remembered): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(values));
  } catch {
    // As above.
  }
}
