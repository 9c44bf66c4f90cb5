// Numbers and times as a person reads them. No state, no DOM.

export function formatRate(bytesPerSecond: number): string {
  const kilobytes = bytesPerSecond / 1000;
  if (kilobytes >= 1000) return `${(kilobytes / 1000).toFixed(1)} MB/s`;
  return `${kilobytes >= 10 || kilobytes === 0 ? Math.round(kilobytes) : kilobytes.toFixed(1)} kB/s`;
}

/** A frame's age: milliseconds while live, then seconds, minutes and so on. */
export function formatAge(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  return ms < 1000 ? `${Math.round(ms)} ms` : formatDuration(ms);
}

/** One unit, rounded down: `7 s`, `4 min`, `3 h`, `2 d`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** `14:03:22` today, `Mon 14:03` within a week, `2025-01-31 14:03` before. */
export function formatSince(unixMs: number, nowMs: number = Date.now()): string {
  const then = new Date(unixMs);
  const two = (value: number): string => String(value).padStart(2, "0");
  const clock = `${two(then.getHours())}:${two(then.getMinutes())}`;
  if (then.toDateString() === new Date(nowMs).toDateString()) return `${clock}:${two(then.getSeconds())}`;
  if (nowMs - unixMs < 6 * 86_400_000) return `${then.toLocaleDateString("en", { weekday: "short" })} ${clock}`;
  return `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())} ${clock}`;
}

/** The server's short message as a sentence: `not a JPEG` becomes `Not a JPEG.` */
export function sentence(text: string): string {
  const trimmed = text.trim();
  const upper = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return upper === "" || /[.!?…]$/.test(upper) ? upper : `${upper}.`;
}
