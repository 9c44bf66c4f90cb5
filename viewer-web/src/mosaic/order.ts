// The order of the cameras on the wall, as a person left it. No DOM; remembered by arrangement.ts.

/** Cameras whose place is remembered. */
const MOST_REMEMBERED = 1_000;

/** Those whose place is remembered first, in that order; the others behind them as they come. */
export function arrange<T extends { id: string }>(items: readonly T[], order: readonly string[]): T[] {
  const place = new Map(order.map((id, index) => [id, index]));
  const of = (item: T): number => place.get(item.id) ?? order.length;
  // Sorting is stable, so cameras without a place keep theirs among each other.
  return [...items].sort((a, b) => of(a) - of(b));
}

/**
 * The order to remember once `id` has been put where `target` is. `shown` is what is on the wall; cameras that are
 * not, such as offline ones of yesterday, keep their place after those.
 */
export function moved(order: readonly string[], shown: readonly string[], id: string, target: string): string[] {
  const to = shown.indexOf(target);
  if (id === target || to < 0 || !shown.includes(id)) return [...order];
  const without = shown.filter((other) => other !== id);
  without.splice(to, 0, id);
  return [...without, ...order.filter((other) => !shown.includes(other))].slice(0, MOST_REMEMBERED);
}

/** Whether a camera answers to what was typed: every word occurs in its name or id. */
export function matches(filter: string, id: string, name: string): boolean {
  const text = `${name} ${id}`.toLocaleLowerCase();
  return filter.toLocaleLowerCase().split(/\s+/).every((word) => text.includes(word));
}
