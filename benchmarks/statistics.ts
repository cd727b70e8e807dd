/**
 * 95 % percentile bootstrap intervals of ratios, clustered by image: the questions of one image stand
 * or fall together, so images are resampled, not questions (Efron & Tibshirani 1993, chapters 13 and 16).
 * Seeded: the same items give the same interval on every machine.
 */
import { uniformDraws } from './random-draws.ts';

/** What one image adds to a ratio of sums, such as right answers over questions. */
export interface Cluster {
  readonly numerator: number;
  readonly denominator: number;
}

/** What one image adds to each of several ratios, whose mean is the figure (F1 by category, averaged). */
export type Clusters = readonly Cluster[];

/** The same image under two policies. */
export interface ClusterPair {
  readonly from: Cluster;
  readonly to: Cluster;
}

export interface ClustersPair {
  readonly from: Clusters;
  readonly to: Clusters;
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
  return meanRatioInterval(
    clusters.map((cluster) => [cluster]),
    options,
  );
}

/** Ratio of `to` minus ratio of `from`, images resampled in pairs; null when either is undefined. */
export function differenceInterval(
  pairs: readonly ClusterPair[],
  options: BootstrapOptions,
): Interval | null {
  return meanRatioDifference(
    pairs.map(({ from, to }) => ({ from: [from], to: [to] })),
    options,
  );
}

/** {@link ratioInterval} of the mean of several ratios; null when any of them is undefined. */
export function meanRatioInterval(
  images: readonly Clusters[],
  options: BootstrapOptions,
): Interval | null {
  // An image that adds nothing below the line would only make resamples undefined.
  const counted = images.filter(isCounted);
  const ratios = columnsOf(counted);
  return interval(counted.length, options, (count) => meanRatio(count, ratios));
}

/** {@link differenceInterval} of the mean of several ratios. */
export function meanRatioDifference(
  pairs: readonly ClustersPair[],
  options: BootstrapOptions,
): Interval | null {
  const counted = pairs.filter(({ from, to }) => isCounted(from) || isCounted(to));
  const from = columnsOf(counted.map((pair) => pair.from));
  const to = columnsOf(counted.map((pair) => pair.to));
  return interval(
    counted.length,
    options,
    (count) => meanRatio(count, to) - meanRatio(count, from),
  );
}

function isCounted(clusters: Clusters): boolean {
  return clusters.some(({ denominator }) => denominator > 0);
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

/** One ratio: what each image adds above and below the line. */
interface Columns {
  readonly numerators: Float64Array;
  readonly denominators: Float64Array;
}

function columnsOf(images: readonly Clusters[]): Columns[] {
  return (images[0] ?? []).map((_, index) => ({
    numerators: Float64Array.from(images, (clusters) => clusters[index]?.numerator ?? 0),
    denominators: Float64Array.from(images, (clusters) => clusters[index]?.denominator ?? 0),
  }));
}

/** NaN when there is no ratio, or nothing stands below the line of one. */
function meanRatio(count: Uint32Array, ratios: readonly Columns[]): number {
  let sum = 0;
  for (const { numerators, denominators } of ratios) sum += ratio(count, numerators, denominators);
  return sum / ratios.length;
}

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
export function quantile(sorted: Float64Array, share: number): number {
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
