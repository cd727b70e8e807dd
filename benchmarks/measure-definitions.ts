/** Which measures a list of scored items allows, and what each item adds to them. */
import type { ScoredItem } from '../contract/measures.ts';
import type { Cluster } from './statistics.ts';

export type AnswerItem = Extract<ScoredItem, { type: 'answer' }>;
type DescriptionItem = Extract<ScoredItem, { type: 'description' }>;

/** What an item adds to a ratio of sums; null when the measure is not about it. */
type Contribution = (item: ScoredItem) => Cluster | null;

export interface MeasureDefinition {
  readonly contribution: Contribution;
  /** Of the several ratios whose mean the measure is, the one an item belongs to. @default one ratio */
  readonly group?: { readonly names: readonly string[]; readonly of: (item: ScoredItem) => string };
  /** What the value is over: claims for precision, images for F1, questions for accuracy. */
  readonly count: (item: ScoredItem, cluster: Cluster) => number;
}

/** Type of the questions that have an image, in a set where some have none; ScienceQA's name for them. */
const WITH_IMAGE = 'IMG';

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
    // What still waits for a judge is not unparsed.
    item.type === 'answer' && item.score !== null
      ? { numerator: item.parsed === null ? 1 : 0, denominator: 1 }
      : null,
  count: each,
};

/** By name, in the order in which they are written down. */
export function definitionsFor(
  items: readonly ScoredItem[],
  benchmark: string,
): Map<string, MeasureDefinition> {
  const answers = items.filter((item) => item.type === 'answer');
  const hasTextAlone = answers.some(({ image_id }) => image_id === null);
  const names = new Set<string>();
  for (const { mode, question_type, image_id } of answers) {
    const accuracy = mode === 'direct' ? 'accuracy' : 'accuracy_dar';
    names.add(accuracy).add(`${accuracy}/${question_type}`);
    if (hasTextAlone && image_id !== null) names.add(`${accuracy}/${WITH_IMAGE}`);
  }
  const definitions = new Map<string, MeasureDefinition>();
  for (const name of [...names].sort()) {
    const includes = accuracyOf(name);
    definitions.set(name, {
      contribution: (item) =>
        item.type === 'answer' && item.score !== null && includes?.(item) === true
          ? { numerator: item.score, denominator: item.weight ?? 1 }
          : null,
      count: each,
    });
  }
  if (benchmark === 'pope') for (const entry of popeMeasures(answers)) definitions.set(...entry);
  const hasAnswers = answers.length > 0;
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
  return (item) =>
    item.mode === mode &&
    (type === null ||
      item.question_type === type ||
      (type === WITH_IMAGE && item.image_id !== null));
}

/**
 * F1 of the answer yes, averaged over the categories of negative objects, as eval_pope.py prints it:
 * 2 TP / (2 TP + FP + FN).
 */
function popeMeasures(answers: readonly AnswerItem[]): [string, MeasureDefinition][] {
  const names = [...new Set(answers.map(({ question_type }) => question_type))].sort();
  const f1Of = (mode: AnswerItem['mode']): MeasureDefinition => ({
    contribution: (item) => {
      if (item.type !== 'answer' || item.mode !== mode || item.score === null) return null;
      const isYes = item.expected.toLowerCase() === 'yes';
      const isRight = item.score === 1;
      // A right no is in none of the sums.
      if (isRight && !isYes) return { numerator: 0, denominator: 0 };
      return isRight ? { numerator: 2, denominator: 2 } : { numerator: 0, denominator: 1 };
    },
    group: { names, of: (item) => (item.type === 'answer' ? item.question_type : '') },
    count: each,
  });
  const modes = new Set(answers.map(({ mode }) => mode));
  return (['direct', 'dar'] as const).flatMap((mode): [string, MeasureDefinition][] =>
    modes.has(mode) ? [[mode === 'direct' ? 'f1' : 'f1_dar', f1Of(mode)]] : [],
  );
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
