/**
 * 95 % intervals over seeds and images. Every seed answers the same images, so both are resampled, each
 * on its own, and a cell counts as often as its seed times its image was drawn: the pigeonhole
 * bootstrap (Owen 2007, Annals of Applied Statistics 1(2)). Resampling cells would take seeds and
 * images for independent and give intervals that are too narrow.
 */
import { uniformDraws } from '../benchmarks/random-draws.ts';
import {
  type BootstrapOptions,
  type Cluster,
  type ClusterPair,
  type Interval,
  quantile,
} from '../benchmarks/statistics.ts';

/** What each image adds under one seed. */
export type ByImage<T> = ReadonlyMap<string, T>;

/** Mean over seeds of the ratio of sums; null where a seed has nothing below the line. */
export function levelInterval(
  seeds: readonly ByImage<Cluster>[],
  options: BootstrapOptions,
): Interval | null {
  return pigeonhole(seeds, options, (cells, weights) => ratio(cells, weights, (cell) => cell));
}

/** Mean over seeds of the difference of two ratios, paired by image and seed. */
export function pairedInterval(
  seeds: readonly ByImage<ClusterPair>[],
  options: BootstrapOptions,
): Interval | null {
  return pigeonhole(
    seeds,
    options,
    (cells, weights) =>
      ratio(cells, weights, ({ to }) => to) - ratio(cells, weights, ({ from }) => from),
  );
}

/** What one seed has of an image; `image` is the place of its weight. */
interface Cell<T> {
  readonly cell: T;
  readonly image: number;
}

/** Of one seed, with how often each image was drawn. */
type Statistic<T> = (cells: readonly Cell<T>[], weights: Uint32Array) => number;

function pigeonhole<T>(
  seeds: readonly ByImage<T>[],
  { num_resamples, seed }: BootstrapOptions,
  statistic: Statistic<T>,
): Interval | null {
  const images = [...new Set(seeds.flatMap((one) => [...one.keys()]))].sort();
  const places = new Map(images.map((image, place) => [image, place]));
  const rows = seeds.map((one) =>
    [...one].map(([image, cell]) => ({ cell, image: places.get(image) ?? 0 })),
  );
  const mean = (seedWeights: Uint32Array, imageWeights: Uint32Array): number => {
    let sum = 0;
    for (const [place, cells] of rows.entries()) {
      const weight = seedWeights[place] ?? 0;
      if (weight > 0) sum += weight * statistic(cells, imageWeights);
    }
    return sum / seeds.length;
  };
  const value = mean(new Uint32Array(seeds.length).fill(1), new Uint32Array(images.length).fill(1));
  if (!Number.isFinite(value)) return null;
  const draw = uniformDraws(seed);
  const resampled: number[] = [];
  for (let resample = 0; resample < num_resamples; resample += 1) {
    const one = mean(drawCounts(seeds.length, draw), drawCounts(images.length, draw));
    // A resample without any denominator says nothing about the ratio.
    if (Number.isFinite(one)) resampled.push(one);
  }
  const sorted = Float64Array.from(resampled).sort();
  return { value, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}

function ratio<T>(
  cells: readonly Cell<T>[],
  weights: Uint32Array,
  side: (cell: T) => Cluster,
): number {
  let above = 0;
  let below = 0;
  for (const { cell, image } of cells) {
    const weight = weights[image] ?? 0;
    if (weight === 0) continue;
    const { numerator, denominator } = side(cell);
    above += weight * numerator;
    below += weight * denominator;
  }
  return below === 0 ? Number.NaN : above / below;
}

/** How often each of `count` things is in a draw of `count` with replacement. */
function drawCounts(count: number, draw: () => number): Uint32Array {
  const counts = new Uint32Array(count);
  for (let drawn = 0; drawn < count; drawn += 1) {
    const index = Math.floor(draw() * count);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts;
}
