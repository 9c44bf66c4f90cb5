// A replay in words. No DOM.

const two = (value: number): string => String(value).padStart(2, "0");

/** The time of day at the viewer's place, to the hundredth: `14:03:22.12`. */
export function timeOfDay(unixUs: number): string {
  const then = new Date(unixUs / 1000);
  return `${two(then.getHours())}:${two(then.getMinutes())}:${two(then.getSeconds())}.${two(Math.floor(then.getMilliseconds() / 10))}`;
}

/** `−7.3 s`, or `newest`. */
export function beforeEnd(milliseconds: number): string {
  return milliseconds === 0 ? "newest" : `−${(milliseconds / 1000).toFixed(1)} s`;
}

/** For a screen reader, where the slider stands. */
export function spoken(milliseconds: number, unixUs: number): string {
  const where = milliseconds === 0 ? "newest picture" : `${(milliseconds / 1000).toFixed(1)} seconds before the newest`;
  return `${where}, ${timeOfDay(unixUs)}`;
}

/** A name that sorts by time and that every file system takes: `door-2026-11-21T14-03-22.120.jpg`, in UTC. */
export function fileName(camera: string, unixUs: number): string {
  return `${camera}-${new Date(unixUs / 1000).toISOString().replace("Z", "").replaceAll(":", "-")}.jpg`;
}
