/**
 * Measures of scored items, each with its interval; paired differences of two policies' measures, each
 * with its interval and its test. A measure without anything to count is left out, never made up.
 */
import type {
  Comparison,
  Measure,
  Measures,
  ScoredItem,
  SignificanceTest,
} from '../contract/measures.ts';
import {
  type AnswerItem,
  accuracyOf,
  definitionsFor,
  type MeasureDefinition,
} from './measure-definitions.ts';
import { mcnemar, permutationTest } from './significance.ts';
import {
  type BootstrapOptions,
  type Cluster,
  type Clusters,
  type ClustersPair,
  meanRatioDifference,
  meanRatioInterval,
} from './statistics.ts';

/** How intervals and tests are made, and of what: some benchmarks have measures of their own. */
export interface MeasureOptions extends BootstrapOptions {
  readonly benchmark: string;
}

/** Every measure that the items allow. */
export function measuresOf(items: readonly ScoredItem[], options: MeasureOptions): Measures {
  const measures: Measures = {};
  for (const [name, definition] of definitionsFor(items, options.benchmark)) {
    const clusters = byImage(items, definition);
    const interval = meanRatioInterval([...clusters.values()], options);
    if (interval !== null) measures[name] = { ...interval, n: countOf(items, definition) };
  }
  return measures;
}

/** Differences `to - from` of every measure both have, over the items both have. */
export function deltasOf(
  from: readonly ScoredItem[],
  to: readonly ScoredItem[],
  options: MeasureOptions,
): Measures {
  const both = pairedItems(from, to);
  const deltas: Measures = {};
  for (const [name, definition] of definitionsFor(both.after, options.benchmark)) {
    const delta = deltaOf(both, definition, options);
    if (delta !== null) deltas[name] = delta;
  }
  return deltas;
}

/**
 * The paired test of every difference of {@link deltasOf}. Right and wrong answers to questions about
 * different images are held against McNemar's test; graded scores, ratios, and questions that share
 * an image against a permutation test that exchanges whole images: such questions are not independent.
 */
export function testsOf(
  from: readonly ScoredItem[],
  to: readonly ScoredItem[],
  options: MeasureOptions,
): Record<string, SignificanceTest> {
  const both = pairedItems(from, to);
  const tests: Record<string, SignificanceTest> = {};
  for (const [name, definition] of definitionsFor(both.after, options.benchmark)) {
    const test = testOf(both, definition, options);
    if (test !== null) tests[name] = test;
  }
  return tests;
}

/**
 * What each image adds to one of the measures that every benchmark has; images that it is not about are
 * left out.
 */
export function clustersOf(items: readonly ScoredItem[], measure: string): Map<string, Cluster> {
  const definition = definitionsFor(items, 'any').get(measure);
  if (definition === undefined) return new Map();
  const clusters = [...byImage(items, definition)];
  return new Map(clusters.map(([image, groups]) => [image, groups.reduce(plus, NOTHING)]));
}

type ItemCounts = Pick<
  Comparison,
  'num_fixed' | 'num_broken' | 'num_both_wrong' | 'num_both_right'
>;

/**
 * How answers changed, over the questions that `measure` is about (all answers, when it is about
 * descriptions). An answer counts as right from a score of one half.
 */
export function changesOf(
  from: readonly ScoredItem[],
  to: readonly ScoredItem[],
  measure: string,
): ItemCounts {
  const accuracy = accuracyOf(measure);
  const wasRight = new Map<string, boolean>();
  for (const item of from) {
    if (item.type === 'answer' && item.score !== null) wasRight.set(item.item_id, isRight(item));
  }
  const counts = { num_fixed: 0, num_broken: 0, num_both_wrong: 0, num_both_right: 0 };
  for (const item of to) {
    if (item.type !== 'answer' || item.score === null) continue;
    if (accuracy !== null && !accuracy(item)) continue;
    const before = wasRight.get(item.item_id);
    if (before === undefined) continue;
    if (isRight(item)) counts[before ? 'num_both_right' : 'num_fixed'] += 1;
    else counts[before ? 'num_broken' : 'num_both_wrong'] += 1;
  }
  return counts;
}

/** True when an answer's score is at least one half of what it is out of. */
export function isRight({ score, weight = 1 }: AnswerItem): boolean {
  return score !== null && score >= 0.5 * weight;
}

const NOTHING: Cluster = { numerator: 0, denominator: 0 };

function byImage(
  items: readonly ScoredItem[],
  { contribution, group }: MeasureDefinition,
): Map<string, Clusters> {
  const clusters = new Map<string, Clusters>();
  for (const item of items) {
    const added = contribution(item);
    if (added === null) continue;
    // A question about text alone stands for itself.
    const image = item.image_id ?? item.item_id;
    const place = group === undefined ? 0 : group.names.indexOf(group.of(item));
    const sums = clusters.get(image) ?? emptyClusters(group);
    clusters.set(
      image,
      sums.map((sum, index) => (index === place ? plus(sum, added) : sum)),
    );
  }
  return clusters;
}

function emptyClusters(group: MeasureDefinition['group']): Clusters {
  return Array.from({ length: group?.names.length ?? 1 }, () => NOTHING);
}

function plus(one: Cluster, other: Cluster): Cluster {
  return {
    numerator: one.numerator + other.numerator,
    denominator: one.denominator + other.denominator,
  };
}

function countOf(items: readonly ScoredItem[], definition: MeasureDefinition): number {
  let total = 0;
  for (const item of items) {
    const cluster = definition.contribution(item);
    if (cluster !== null) total += definition.count(item, cluster);
  }
  return total;
}

/** The items that both policies have, on each side. */
interface PairedItems {
  readonly before: readonly ScoredItem[];
  readonly after: readonly ScoredItem[];
}

function pairedItems(from: readonly ScoredItem[], to: readonly ScoredItem[]): PairedItems {
  return { before: inBoth(from, to), after: inBoth(to, from) };
}

function inBoth(items: readonly ScoredItem[], others: readonly ScoredItem[]): ScoredItem[] {
  const ids = new Set(others.map(({ item_id }) => item_id));
  return items.filter(({ item_id }) => ids.has(item_id));
}

function deltaOf(
  both: PairedItems,
  definition: MeasureDefinition,
  options: BootstrapOptions,
): Measure | null {
  const interval = meanRatioDifference(imagePairs(both, definition), options);
  return interval === null ? null : { ...interval, n: countOf(both.after, definition) };
}

function testOf(
  both: PairedItems,
  definition: MeasureDefinition,
  options: BootstrapOptions,
): SignificanceTest | null {
  const pairs = imagePairs(both, definition);
  if (pairs.length > 0 && pairs.every(({ from, to }) => isBinary(from) && isBinary(to))) {
    const fixed = pairs.filter(({ from, to }) => rightOf(from) < rightOf(to)).length;
    const broken = pairs.filter(({ from, to }) => rightOf(from) > rightOf(to)).length;
    return { test: 'mcnemar', p_value: mcnemar(fixed, broken) };
  }
  const p_value = permutationTest(pairs, options);
  return p_value === null ? null : { test: 'permutation', p_value };
}

/** One item, right or wrong. */
function isBinary([cluster, ...others]: Clusters): boolean {
  if (cluster === undefined || others.length > 0 || cluster.denominator !== 1) return false;
  return cluster.numerator === 0 || cluster.numerator === 1;
}

function rightOf([cluster]: Clusters): number {
  return cluster?.numerator ?? 0;
}

function imagePairs({ before, after }: PairedItems, definition: MeasureDefinition): ClustersPair[] {
  const from = byImage(before, definition);
  const to = byImage(after, definition);
  const nothing = emptyClusters(definition.group);
  const images = new Set([...from.keys(), ...to.keys()]);
  return [...images].map((image) => ({
    from: from.get(image) ?? nothing,
    to: to.get(image) ?? nothing,
  }));
}
