// From what the pages noted to figures. No browser here.

/** @typedef {import("./in-page.mjs").Noted} Noted */
/** @typedef {{ median: number, min: number, max: number }} Spread Over the runs. */

/**
 * The smallest value that at least `fraction` of the values do not exceed; NaN where there is none.
 *
 * @param {readonly number[]} values
 * @param {number} fraction
 */
export function percentile(values, fraction) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)] ?? Number.NaN;
}

/** @param {readonly number[]} values @returns {Spread} */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
  return { median: round(median), min: round(sorted[0] ?? Number.NaN), max: round(sorted.at(-1) ?? Number.NaN) };
}

/** @param {number} value */
const round = (value) => Math.round(value * 100) / 100;

/**
 * What a viewer sees of a camera: ages of the pictures when they are first on the screen.
 *
 * @param {Noted} source
 * @param {Noted} shown
 * @param {number} seconds
 */
export function shownFigures(source, shown, seconds) {
  const ages = shown.seen.map(([clockMs, atMs]) => atMs - clockMs);
  return {
    p50_ms: percentile(ages, 0.5),
    p95_ms: percentile(ages, 0.95),
    p99_ms: percentile(ages, 0.99),
    mean_ms: ages.reduce((sum, age) => sum + age, 0) / ages.length,
    fps_sent: source.sent.length / seconds,
    fps_shown: shown.seen.length / seconds,
    unreadable: shown.unreadable,
    animation_fps: Math.min(source.animationFrames, shown.animationFrames) / seconds,
  };
}

/**
 * The way through the server, frame by frame.
 *
 * @param {Noted} source
 * @param {Noted} shown
 */
export function wayFigures(source, shown) {
  const came = new Map(shown.messages.map(([capturedUs, , atMs]) => [capturedUs, atMs]));
  const ways = source.sent.flatMap(([capturedUs, atMs]) => {
    const cameMs = came.get(capturedUs);
    return cameMs === undefined ? [] : [cameMs - atMs];
  });
  // What was sent before the noting began, or is still on its way at its end, is nobody's loss.
  const newestUs = Math.max(...came.keys());
  const lost = source.sent.filter(([capturedUs]) => capturedUs < newestUs && !came.has(capturedUs)).length;
  return { p50_ms: percentile(ways, 0.5), p99_ms: percentile(ways, 0.99), frames: ways.length, lost };
}

/**
 * Where a picture's time goes, medians: `camera` until the encoder has it, `encode` until it is sent, `up` until
 * the server has it, `down` until the viewer page has it, `decode` until it is drawn, `paint` until the next
 * animation frame.
 *
 * @param {Noted} source
 * @param {Noted} shown
 * @param {number} clockOffsetMs The server's clock minus the pages'.
 */
export function stageFigures(source, shown, clockOffsetMs) {
  const came = new Map(shown.messages.map(([capturedUs, receivedUs, atMs]) => [capturedUs, { receivedMs: receivedUs / 1000 - clockOffsetMs, cameMs: atMs }]));
  const frames = source.sent.flatMap(([capturedUs, sentMs]) => {
    const arrival = came.get(capturedUs);
    return arrival === undefined ? [] : [{ takenMs: capturedUs / 1000 - clockOffsetMs, sentMs, ...arrival }];
  });
  const stages = shown.seen.flatMap(([clockMs, seenMs]) => {
    // A picture and a frame know nothing of each other: it is the first frame taken since the picture's clock.
    const frame = frames.find(({ takenMs }) => takenMs > clockMs - 1);
    const drawnMs = shown.drawn.findLast((atMs) => atMs <= seenMs);
    if (frame === undefined || drawnMs === undefined || frame.takenMs - clockMs > 30 || drawnMs < frame.cameMs) return [];
    const { takenMs, sentMs, receivedMs, cameMs } = frame;
    return [
      {
        camera_ms: takenMs - clockMs,
        encode_ms: sentMs - takenMs,
        up_ms: receivedMs - sentMs,
        down_ms: cameMs - receivedMs,
        decode_ms: drawnMs - cameMs,
        paint_ms: seenMs - drawnMs,
      },
    ];
  });
  return Object.fromEntries(Object.keys(stages[0] ?? {}).map((name) => [name, percentile(stages.map((frame) => frame[/** @type {keyof typeof frame} */ (name)]), 0.5)]));
}

/**
 * Figures of several runs, as one with spreads.
 *
 * @param {readonly Record<string, number>[]} runs
 * @returns {Record<string, Spread>}
 */
export function spreads(runs) {
  return Object.fromEntries(Object.keys(runs[0] ?? {}).map((name) => [name, spread(runs.map((run) => run[name] ?? Number.NaN))]));
}
