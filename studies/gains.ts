/** Whether images that are near to the unlabelled ones gain more. Pure. */
import { clustersOf } from '../benchmarks/measures.ts';
import type { BootstrapOptions, Cluster } from '../benchmarks/statistics.ts';
import type { ScoredItem } from '../contract/measures.ts';
import type { FeatureDistance } from '../contract/records.ts';
import type { FeaturesResult } from '../contract/study.ts';
import { spearmanInterval } from './correlation.ts';
import { type ByImage, pairedInterval } from './intervals.ts';
import { pairsOf } from './measured.ts';

type BySeed = ReadonlyMap<number, readonly ScoredItem[]>;

interface Measured {
  readonly sets: readonly { readonly set: string; readonly from: BySeed; readonly to: BySeed }[];
  readonly measure: string;
  readonly distances: readonly FeatureDistance[];
}

/** The gain of every set, and the rank correlation of distance and gain over the images of all sets. */
export function gainsByImage(
  { sets, measure, distances }: Measured,
  options: BootstrapOptions,
): Pick<FeaturesResult, 'gains' | 'correlation'> {
  const distanceOf = new Map(distances.map((one) => [`${one.set}/${one.image_id}`, one.distance]));
  const both: [distance: number, gain: number][] = [];
  const gains = sets.map(({ set, from, to }) => {
    const pairs = pairsOf(clusters(from, measure), clusters(to, measure));
    for (const [image, gain] of meanGains(pairs)) {
      const distance = distanceOf.get(`${set}/${image}`);
      if (distance !== undefined) both.push([distance, gain]);
    }
    const interval = pairs.length === 0 ? null : pairedInterval(pairs, options);
    const n = pairs.reduce((sum, { size }) => sum + size, 0);
    return { set, gain: interval === null ? null : { ...interval, n } };
  });
  const correlation = spearmanInterval(both, options);
  return { gains, correlation: correlation === null ? null : { ...correlation, n: both.length } };
}

/** Of each image over the seeds that measured it on both sides. */
export function meanGains(
  seeds: readonly ByImage<{ readonly from: Cluster; readonly to: Cluster }>[],
): Map<string, number> {
  const sums = new Map<string, { total: number; count: number }>();
  for (const seed of seeds) {
    for (const [image, { from, to }] of seed) {
      if (from.denominator === 0 || to.denominator === 0) continue;
      const gain = to.numerator / to.denominator - from.numerator / from.denominator;
      const { total, count } = sums.get(image) ?? { total: 0, count: 0 };
      sums.set(image, { total: total + gain, count: count + 1 });
    }
  }
  return new Map([...sums].map(([image, { total, count }]) => [image, total / count]));
}

function clusters(items: BySeed, measure: string): Map<number, ByImage<Cluster>> {
  return new Map([...items].map(([seed, scored]) => [seed, clustersOf(scored, measure)]));
}
