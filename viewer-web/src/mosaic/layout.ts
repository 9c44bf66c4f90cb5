// How many columns and rows the wall has. No DOM: sizes in CSS pixels come in, a grid goes out.

export const LAYOUTS = ["auto", "1", "4", "9", "16"] as const;
/** How many cameras fill the view; `auto` takes what suits their number and the window. */
export type Layout = (typeof LAYOUTS)[number];

export function isLayout(text: string | null): text is Layout {
  return LAYOUTS.some((layout) => layout === text);
}

export interface Grid {
  columns: number;
  /** Rows that fill the view; further ones are scrolled to. 0: rows are as high as their pictures. */
  rows: number;
}

/** Height of a tile's caption, and the space between tiles; the style sheet has the same. */
const CAPTION_PX = 36;
const GAP_PX = 12;
const ASPECT = 4 / 3;
/** Pictures narrower than this are not made for the sake of showing all at once. */
const LEAST_PX = 160;
/** Of more cameras than this, `auto` shows as many at once; one scrolls to the others. */
const MOST_AT_ONCE = 16;

/** `width` and `height`: the room for the wall. */
export function gridFor(layout: Layout, cameras: number, width: number, height: number): Grid {
  if (layout !== "auto") {
    const side = Math.sqrt(Number(layout));
    return { columns: side, rows: side };
  }
  const shown = Math.max(1, Math.min(cameras, MOST_AT_ONCE));
  let best = { columns: 1, rows: shown, picture: 0 };
  for (let columns = 1; columns <= shown; columns += 1) {
    const rows = Math.ceil(shown / columns);
    const across = (width - GAP_PX * (columns - 1)) / columns;
    const down = (height - GAP_PX * (rows - 1)) / rows - CAPTION_PX;
    const picture = Math.min(across, down * ASPECT);
    if (picture > best.picture) best = { columns, rows, picture };
  }
  // A narrow window: rather scroll than shrink further.
  if (best.picture < Math.min(LEAST_PX, width)) return { columns: Math.max(1, Math.min(shown, Math.floor((width + GAP_PX) / (LEAST_PX + GAP_PX)))), rows: 0 };
  return { columns: best.columns, rows: best.rows };
}
