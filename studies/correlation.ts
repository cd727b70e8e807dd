/** Spearman's rank correlation with a bootstrap interval over its pairs. Pure. */
import { uniformDraws } from '../benchmarks/random-draws.ts';
import { type BootstrapOptions, type Interval, quantile } from '../benchmarks/statistics.ts';

/** Pearson's correlation of mid-ranks; null when either side does not vary. */
export function spearman(pairs: readonly (readonly [x: number, y: number])[]): number | null {
  const x = midRanks(pairs.map(([first]) => first));
  const y = midRanks(pairs.map(([, second]) => second));
  const mean = (pairs.length + 1) / 2;
  let [product, squareX, squareY] = [0, 0, 0];
  for (const [index, rank] of x.entries()) {
    const [dx, dy] = [rank - mean, (y[index] ?? mean) - mean];
    product += dx * dy;
    squareX += dx * dx;
    squareY += dy * dy;
  }
  const scale = Math.sqrt(squareX * squareY);
  return scale === 0 ? null : product / scale;
}

/** With pairs resampled; null when the correlation is undefined. */
export function spearmanInterval(
  pairs: readonly (readonly [x: number, y: number])[],
  { num_resamples, seed }: BootstrapOptions,
): Interval | null {
  const value = spearman(pairs);
  if (value === null) return null;
  const draw = uniformDraws(seed);
  const resampled: number[] = [];
  for (let resample = 0; resample < num_resamples; resample += 1) {
    const drawn = pairs.map(() => pairs[Math.floor(draw() * pairs.length)] ?? ([0, 0] as const));
    const one = spearman(drawn);
    if (one !== null) resampled.push(one);
  }
  const sorted = Float64Array.from(resampled).sort();
  return { value, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}

/** Ranks from 1; equal values share the mean of their ranks. */
function midRanks(values: readonly number[]): number[] {
  const order = values.map((value, index) => ({ value, index }));
  order.sort((a, b) => a.value - b.value);
  const ranks = values.map(() => 0);
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end + 1 < order.length && order[end + 1]?.value === order[start]?.value) end += 1;
    const rank = (start + end) / 2 + 1;
    for (const { index } of order.slice(start, end + 1)) ranks[index] = rank;
    start = end + 1;
  }
  return ranks;
}
