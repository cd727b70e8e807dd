/**
 * 95 % percentile bootstrap intervals of ratios, clustered by image: the questions of one image stand
 * or fall together, so images are resampled, not questions (Efron & Tibshirani 1993, chapters 13 and 16).
 * Seeded: the same items give the same interval on every machine.
 */

/** What one image adds to a ratio of sums, such as right answers over questions. */
export interface Cluster {
  readonly numerator: number;
  readonly denominator: number;
}

/** The same image under two policies. */
export interface ClusterPair {
  readonly from: Cluster;
  readonly to: Cluster;
}

export interface BootstrapOptions {
  readonly num_resamples: number;
  readonly seed: number;
}

export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const LOW_QUANTILE = 0.025;
const HIGH_QUANTILE = 0.975;

/** Sum of numerators over sum of denominators, with its interval; null when the denominators sum to 0. */
export function ratioInterval(
  clusters: readonly Cluster[],
  options: BootstrapOptions,
): Interval | null {
  // An image that adds nothing below the line would only make resamples undefined.
  const counted = clusters.filter(({ denominator }) => denominator > 0);
  const columns = [column(counted, 'numerator'), column(counted, 'denominator')] as const;
  return interval(counted.length, options, (count) => ratio(count, ...columns));
}

/** Ratio of `to` minus ratio of `from`, images resampled in pairs; null when either is undefined. */
export function differenceInterval(
  pairs: readonly ClusterPair[],
  options: BootstrapOptions,
): Interval | null {
  const counted = pairs.filter(({ from, to }) => from.denominator > 0 || to.denominator > 0);
  const before = counted.map(({ from }) => from);
  const after = counted.map(({ to }) => to);
  const from = [column(before, 'numerator'), column(before, 'denominator')] as const;
  const to = [column(after, 'numerator'), column(after, 'denominator')] as const;
  return interval(counted.length, options, (count) => ratio(count, ...to) - ratio(count, ...from));
}

/** `count` holds how often each cluster is in a resample. */
type Statistic = (count: Uint32Array) => number;

function interval(
  numClusters: number,
  { num_resamples, seed }: BootstrapOptions,
  statistic: Statistic,
): Interval | null {
  const value = statistic(new Uint32Array(numClusters).fill(1));
  if (!Number.isFinite(value)) return null;
  const draw = uniformDraws(seed);
  const resampled: number[] = [];
  const count = new Uint32Array(numClusters);
  for (let resample = 0; resample < num_resamples; resample += 1) {
    count.fill(0);
    for (let drawn = 0; drawn < numClusters; drawn += 1) {
      const index = Math.floor(draw() * numClusters);
      count[index] = at(count, index) + 1;
    }
    const one = statistic(count);
    // A resample without any denominator says nothing about the ratio.
    if (Number.isFinite(one)) resampled.push(one);
  }
  const sorted = Float64Array.from(resampled).sort();
  return { value, low: quantile(sorted, LOW_QUANTILE), high: quantile(sorted, HIGH_QUANTILE) };
}

function column(clusters: readonly Cluster[], name: keyof Cluster): Float64Array {
  return Float64Array.from(clusters, (cluster) => cluster[name]);
}

/** NaN when nothing stands below the line. */
function ratio(count: Uint32Array, numerators: Float64Array, denominators: Float64Array): number {
  let above = 0;
  let below = 0;
  for (let index = 0; index < count.length; index += 1) {
    above += at(count, index) * at(numerators, index);
    below += at(count, index) * at(denominators, index);
  }
  return below === 0 ? Number.NaN : above / below;
}

/** Linear interpolation between order statistics (Hyndman & Fan type 7, as numpy's default). */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const weight = place - below;
  const high = Math.min(below + 1, sorted.length - 1);
  return at(sorted, below) * (1 - weight) + at(sorted, high) * weight;
}

function at(values: Float64Array | Uint32Array, index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`no value at ${index} of ${values.length}`);
  return value;
}

/**
 * Numbers in [0, 1) from the small fast counting generator sfc32 (C. Doty-Humphrey, PractRand): integer
 * arithmetic only, so equal everywhere; a cryptographic draw would cost 100 times as much here.
 */
function uniformDraws(seed: number): () => number {
  let a = 0;
  let b = seed >>> 0;
  let c = Math.floor(seed / 2 ** 32) >>> 0;
  let counter = 1;
  const next = (): number => {
    const result = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = (b ^ (b >>> 9)) >>> 0;
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + result) >>> 0;
    return result / 2 ** 32;
  };
  // The first outputs still show the seed.
  for (let warmUp = 0; warmUp < 15; warmUp += 1) next();
  return next;
}
