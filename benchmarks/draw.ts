/**
 * Which questions of a benchmark are asked when not all are: the first N are no sample, so every type of
 * question keeps its share. Pure: the caller brings the random order.
 */

/** Questions that are only ever asked together; their place in a benchmark's order is their number. */
export interface DrawUnit {
  readonly type: string;
}

/** A random order of 0..n-1 for the units of one type. */
export type OrderOf = (type: string, n: number) => readonly number[];

/** Places of the drawn units, ascending: `limit` of them, each type with its share. */
export function drawStratified(
  units: readonly DrawUnit[],
  limit: number,
  orderOf: OrderOf,
): number[] {
  if (units.length <= limit) return units.map((_, place) => place);
  const places = new Map<string, number[]>();
  for (const [place, { type }] of units.entries()) {
    const known = places.get(type);
    if (known === undefined) places.set(type, [place]);
    else known.push(place);
  }
  const types = [...places.keys()].sort();
  const quotas = largestRemainders(
    types.map((type) => ((places.get(type)?.length ?? 0) * limit) / units.length),
    limit,
  );
  return types
    .flatMap((type, index) => {
      const own = places.get(type) ?? [];
      const drawn = orderOf(type, own.length).slice(0, quotas[index]);
      return drawn.flatMap((at) => own[at] ?? []);
    })
    .sort((a, b) => a - b);
}

/** Whole numbers that sum to `total`, each the floor of its share or one more (Hamilton's method). */
function largestRemainders(shares: readonly number[], total: number): number[] {
  const floors = shares.map(Math.floor);
  const missing = total - floors.reduce((sum, floor) => sum + floor, 0);
  const byRemainder = shares
    .map((share, index) => ({ index, remainder: share - Math.floor(share) }))
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index);
  const raised = new Set(byRemainder.slice(0, missing).map(({ index }) => index));
  return floors.map((floor, index) => (raised.has(index) ? floor + 1 : floor));
}
