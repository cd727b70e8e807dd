/**
 * Measures of scored items, each with its interval, and paired differences of two policies' measures.
 * A measure without anything to count is left out, never made up.
 */
import type { Comparison, Measure, Measures, ScoredItem } from '../contract/measures.ts';
import {
  type BootstrapOptions,
  type Cluster,
  differenceInterval,
  ratioInterval,
} from './statistics.ts';

/** What an item adds to a ratio of sums; null when the measure is not about it. */
type Contribution = (item: ScoredItem) => Cluster | null;

interface MeasureDefinition {
  readonly contribution: Contribution;
  /** What the value is over: claims for precision, images for F1, questions for accuracy. */
  readonly count: (item: ScoredItem, cluster: Cluster) => number;
}

const each = (): number => 1;
const byDenominator = (_item: ScoredItem, { denominator }: Cluster): number => denominator;

/** Of F1 = 2 right / (claimed + true): also a ratio of sums. */
const DESCRIPTION_MEASURES: Readonly<Record<string, MeasureDefinition>> = {
  description_precision: describing(
    (item) => [item.num_correct, item.num_described],
    byDenominator,
  ),
  description_recall: describing(
    (item) => [item.num_correct, item.num_true_objects],
    byDenominator,
  ),
  description_f1: describing((item) => [
    2 * item.num_correct,
    item.num_described + item.num_true_objects,
  ]),
  hallucination_rate: describing((item) => [item.hallucinated ? 1 : 0, 1]),
};

const UNPARSED_RATE: MeasureDefinition = {
  contribution: (item) =>
    item.type === 'answer' ? { numerator: item.parsed === null ? 1 : 0, denominator: 1 } : null,
  count: each,
};

/** Every measure that the items allow. */
export function measuresOf(items: readonly ScoredItem[], options: BootstrapOptions): Measures {
  const measures: Measures = {};
  for (const [name, definition] of definitionsFor(items)) {
    const clusters = byImage(items, definition);
    const interval = ratioInterval([...clusters.values()], options);
    if (interval !== null) measures[name] = { ...interval, n: countOf(items, definition) };
  }
  return measures;
}

/** Differences `to - from` of every measure both have, over the items both have. */
export function deltasOf(
  from: readonly ScoredItem[],
  to: readonly ScoredItem[],
  options: BootstrapOptions,
): Measures {
  const [before, after] = [inBoth(from, to), inBoth(to, from)];
  const deltas: Measures = {};
  for (const [name, definition] of definitionsFor(after)) {
    const delta = deltaOf({ before, after, definition, options });
    if (delta !== null) deltas[name] = delta;
  }
  return deltas;
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
  for (const item of from) if (item.type === 'answer') wasRight.set(item.item_id, isRight(item));
  const counts = { num_fixed: 0, num_broken: 0, num_both_wrong: 0, num_both_right: 0 };
  for (const item of to) {
    if (item.type !== 'answer' || (accuracy !== null && !accuracy(item))) continue;
    const before = wasRight.get(item.item_id);
    if (before === undefined) continue;
    if (isRight(item)) counts[before ? 'num_both_right' : 'num_fixed'] += 1;
    else counts[before ? 'num_broken' : 'num_both_wrong'] += 1;
  }
  return counts;
}

/** True when an answer's score is at least one half. */
export function isRight(item: Extract<ScoredItem, { type: 'answer' }>): boolean {
  return item.score >= 0.5;
}

type AnswerItem = Extract<ScoredItem, { type: 'answer' }>;
type DescriptionItem = Extract<ScoredItem, { type: 'description' }>;

/** `accuracy`, `accuracy_dar`, `accuracy/<type>`, `accuracy_dar/<type>`: which answers it is over. */
function accuracyOf(measure: string): ((item: AnswerItem) => boolean) | null {
  const [name, ...rest] = measure.split('/');
  const type = rest.length === 0 ? null : rest.join('/');
  const mode = name === 'accuracy' ? 'direct' : name === 'accuracy_dar' ? 'dar' : null;
  if (mode === null) return null;
  return (item) => item.mode === mode && (type === null || item.question_type === type);
}

function definitionsFor(items: readonly ScoredItem[]): Map<string, MeasureDefinition> {
  const names = new Set<string>();
  let hasAnswers = false;
  for (const item of items) {
    if (item.type !== 'answer') continue;
    hasAnswers = true;
    const accuracy = item.mode === 'direct' ? 'accuracy' : 'accuracy_dar';
    names.add(accuracy).add(`${accuracy}/${item.question_type}`);
  }
  const definitions = new Map<string, MeasureDefinition>();
  for (const name of [...names].sort()) {
    const includes = accuracyOf(name);
    definitions.set(name, {
      contribution: (item) =>
        item.type === 'answer' && includes?.(item) === true
          ? { numerator: item.score, denominator: 1 }
          : null,
      count: each,
    });
  }
  if (hasAnswers) definitions.set('unparsed_rate', UNPARSED_RATE);
  for (const entry of Object.entries(DESCRIPTION_MEASURES)) definitions.set(...entry);
  return definitions;
}

function describing(
  parts: (item: DescriptionItem) => readonly [numerator: number, denominator: number],
  count: MeasureDefinition['count'] = each,
): MeasureDefinition {
  return {
    contribution: (item) => {
      if (item.type !== 'description') return null;
      const [numerator, denominator] = parts(item);
      return { numerator, denominator };
    },
    count,
  };
}

function byImage(
  items: readonly ScoredItem[],
  { contribution }: MeasureDefinition,
): Map<string, Cluster> {
  const clusters = new Map<string, Cluster>();
  for (const item of items) {
    const added = contribution(item);
    if (added === null) continue;
    const sum = clusters.get(item.image_id) ?? { numerator: 0, denominator: 0 };
    clusters.set(item.image_id, {
      numerator: sum.numerator + added.numerator,
      denominator: sum.denominator + added.denominator,
    });
  }
  return clusters;
}

function countOf(items: readonly ScoredItem[], definition: MeasureDefinition): number {
  let total = 0;
  for (const item of items) {
    const cluster = definition.contribution(item);
    if (cluster !== null) total += definition.count(item, cluster);
  }
  return total;
}

interface DeltaInput {
  readonly before: readonly ScoredItem[];
  readonly after: readonly ScoredItem[];
  readonly definition: MeasureDefinition;
  readonly options: BootstrapOptions;
}

function deltaOf({ before, after, definition, options }: DeltaInput): Measure | null {
  const from = byImage(before, definition);
  const to = byImage(after, definition);
  const nothing = { numerator: 0, denominator: 0 };
  const images = new Set([...from.keys(), ...to.keys()]);
  const pairs = [...images].map((image) => ({
    from: from.get(image) ?? nothing,
    to: to.get(image) ?? nothing,
  }));
  const interval = differenceInterval(pairs, options);
  return interval === null ? null : { ...interval, n: countOf(after, definition) };
}

function inBoth(items: readonly ScoredItem[], others: readonly ScoredItem[]): ScoredItem[] {
  const ids = new Set(others.map(({ item_id }) => item_id));
  return items.filter(({ item_id }) => ids.has(item_id));
}
