/** Which measures a list of scored items allows, and what each item adds to them. */
import type { ScoredItem } from '../contract/measures.ts';
import type { Cluster } from './statistics.ts';

export type AnswerItem = Extract<ScoredItem, { type: 'answer' }>;
type DescriptionItem = Extract<ScoredItem, { type: 'description' }>;

/** What an item adds to a ratio of sums; null when the measure is not about it. */
type Contribution = (item: ScoredItem) => Cluster | null;

export interface MeasureDefinition {
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

/** By name, in the order in which they are written down. */
export function definitionsFor(items: readonly ScoredItem[]): Map<string, MeasureDefinition> {
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

/** `accuracy`, `accuracy_dar`, `accuracy/<type>`, `accuracy_dar/<type>`: which answers it is over. */
export function accuracyOf(measure: string): ((item: AnswerItem) => boolean) | null {
  const [name, ...rest] = measure.split('/');
  const type = rest.length === 0 ? null : rest.join('/');
  const mode = name === 'accuracy' ? 'direct' : name === 'accuracy_dar' ? 'dar' : null;
  if (mode === null) return null;
  return (item) => item.mode === mode && (type === null || item.question_type === type);
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
