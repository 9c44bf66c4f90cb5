// Which lines each chart has, and the same in words. No DOM.

import type { Figures, Sample } from "./history.ts";

export interface Line {
  label: string;
  values: (number | null)[];
}

export interface Chart {
  key: string;
  title: string;
  unit: string;
  lines: Line[];
}

/** What a person calls the reasons of docs/protocol.md and the counters. */
const REASONS: Readonly<Record<string, string>> = {
  not_jpeg: "No JPEG",
  truncated: "Cut off",
  unsupported_jpeg: "Unusual JPEG",
  too_many_pixels: "Too many pixels",
  too_large: "Too large",
  bad_part: "Bad part",
  incomplete: "Incomplete",
  late: "Late",
  duplicate: "Same again",
  paced: "Over a viewer's fps",
  behind: "Viewer behind",
  overtaken_here: "Overtaken here by a newer one",
  broken_here: "Not decoded here",
};

/** The charts of one camera, or of all together where `camera` is `undefined`. */
export function chartsOf(samples: readonly Sample[], camera: string | undefined): Chart[] {
  const figures = samples.map((sample) => (camera === undefined ? sample.server : sample.cameras[camera]));
  const line = (label: string, of: (figures: Figures) => number | null): Line => ({ label, values: figures.map((each) => (each === undefined ? null : of(each))) });
  const sent = (label: string, of: (figures: Figures) => number | null): Line[] => (camera === undefined ? [line(label, of)] : []);
  const reasons = [...new Set(figures.flatMap((each) => Object.keys(each?.drops ?? {})))].sort();
  return [
    { key: "fps", title: "Frames a second", unit: "fps", lines: [line("Received by the server", (f) => f.fpsIn), ...sent("Sent to all viewers", (f) => f.fpsOut), line("Shown here", (f) => f.fpsShown)] },
    { key: "age", title: "Age of a picture when shown here", unit: "ms", lines: [line("Half are younger (p50)", (f) => f.ageP50), line("99 of 100 are younger (p99)", (f) => f.ageP99)] },
    { key: "bandwidth", title: "Bandwidth", unit: "kB/s", lines: [line("Received by the server", (f) => f.kilobytesIn), ...sent("Sent to all viewers", (f) => f.kilobytesOut), line("Received here", (f) => f.kilobytesShown)] },
    { key: "drops", title: "Frames dropped a second", unit: "fps", lines: reasons.map((reason) => line(REASONS[reason] ?? reason, (f) => f.drops[reason] ?? (f.viewers === null ? null : 0))) },
  ];
}

export interface Extent {
  now: string;
  least: string;
  most: string;
}

/** Of a line: its newest value, and between which values it lay. */
export function extentOf({ values }: Line): Extent {
  const known = values.filter((value) => value !== null);
  const newest = values.at(-1);
  if (known.length === 0) return { now: "–", least: "–", most: "–" };
  return { now: number(newest ?? null), least: number(Math.min(...known)), most: number(Math.max(...known)) };
}

export function number(value: number | null): string {
  if (value === null) return "–";
  return value === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

/** What a screen reader says of the picture of a chart; the table below has the figures. */
export function spoken({ title, unit, lines }: Chart): string {
  if (lines.length === 0) return `${title}: none`;
  return `${title}: ${lines.map((line) => `${line.label} ${number(line.values.at(-1) ?? null)} ${unit}`).join(", ")}`;
}
