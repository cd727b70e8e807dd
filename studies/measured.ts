/** Rows and claims of a study from the scored items of its runs. Pure. */
import { clustersOf } from '../benchmarks/measures.ts';
import type { BootstrapOptions, Cluster, ClusterPair, Interval } from '../benchmarks/statistics.ts';
import type { Measure, ScoredItem } from '../contract/measures.ts';
import type { PaperResults } from '../contract/paper-results.ts';
import type { ClaimResult, RowResult, StudyDescription } from '../contract/study.ts';
import { paperDelta, verdictOf } from './claims.ts';
import { type ByImage, levelInterval, pairedInterval } from './intervals.ts';

/** The scored items of a row under each seed that has them, by seed. */
export type ItemsOfRows = ReadonlyMap<string, ReadonlyMap<number, readonly ScoredItem[]>>;

interface Measured {
  readonly rows: RowResult[];
  readonly claims: ClaimResult[];
}

/** A row or claim without items is there too, and says so. */
export function measure(
  description: StudyDescription,
  items: ItemsOfRows,
  paper: PaperResults,
  options: BootstrapOptions,
): Measured {
  const clusters = memoized(items);
  const rows = description.rows.map((row): RowResult => {
    const measures: Record<string, Measure> = {};
    for (const name of description.measures) {
      const level = levelOf([...clusters(row.name, name).values()], options);
      if (level !== null) measures[name] = level;
    }
    const num_seeds = items.get(row.name)?.size ?? 0;
    return { name: row.name, title: row.title, arm: row.arm, num_seeds, x: row.x, measures };
  });
  const claims = description.claims.map((claim): ClaimResult => {
    const { name, text, expected, from, to } = claim;
    const pairs = pairsOf(clusters(from.row, from.measure), clusters(to.row, to.measure));
    const interval = pairs.length === 0 ? null : pairedInterval(pairs, options);
    const delta = interval === null ? null : { ...interval, n: cells(pairs) };
    return {
      name,
      text,
      measure: to.measure,
      expected,
      verdict: verdictOf(delta, expected, pairs.length),
      delta,
      num_seeds: pairs.length,
      paper_delta: paperDelta(paper, claim),
    };
  });
  return { rows, claims };
}

/** Pairs of every seed that both sides have, of the images that both sides were asked about. */
export function pairsOf(
  from: ReadonlyMap<number, ByImage<Cluster>>,
  to: ReadonlyMap<number, ByImage<Cluster>>,
): ByImage<ClusterPair>[] {
  return [...from].flatMap(([seed, before]) => {
    const after = to.get(seed);
    if (after === undefined) return [];
    const pairs = [...before].flatMap(([image, cluster]): [string, ClusterPair][] => {
      const other = after.get(image);
      return other === undefined ? [] : [[image, { from: cluster, to: other }]];
    });
    return pairs.length === 0 ? [] : [new Map(pairs)];
  });
}

function levelOf(seeds: readonly ByImage<Cluster>[], options: BootstrapOptions): Measure | null {
  const measured = seeds.filter(({ size }) => size > 0);
  const interval: Interval | null = measured.length === 0 ? null : levelInterval(measured, options);
  return interval === null ? null : { ...interval, n: cells(measured) };
}

/** Pairs of a seed and an image that a figure is over. */
function cells(seeds: readonly ByImage<unknown>[]): number {
  return seeds.reduce((sum, { size }) => sum + size, 0);
}

type ClustersOf = (row: string, measure: string) => ReadonlyMap<number, ByImage<Cluster>>;

function memoized(items: ItemsOfRows): ClustersOf {
  const known = new Map<string, ReadonlyMap<number, ByImage<Cluster>>>();
  return (row, name) => {
    const key = `${row} ${name}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const bySeed = new Map(
      [...(items.get(row) ?? [])].map(([seed, scored]) => [seed, clustersOf(scored, name)]),
    );
    known.set(key, bySeed);
    return bySeed;
  };
}
