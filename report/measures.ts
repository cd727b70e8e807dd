/** What the measures are called, which direction is good, and what a difference shows. */
import type { Measure, Measures } from '../contract/measures.ts';
import type { EvaluatedPolicy } from '../contract/status.ts';

/** Measures of a whole set, in the order of the page; others (by question type) follow apart. */
export const HEADLINE_MEASURES = [
  'accuracy',
  'accuracy_dar',
  'f1',
  'f1_dar',
  'description_f1',
  'description_precision',
  'description_recall',
  'hallucination_rate',
  'unparsed_rate',
] as const;

const LABELS: Readonly<Record<string, string>> = {
  accuracy: 'Direct answers',
  accuracy_dar: 'Describe and respond',
  f1: 'F1, direct answers',
  f1_dar: 'F1, describe and respond',
  description_f1: 'Description F1',
  description_precision: 'Description precision',
  description_recall: 'Description recall',
  hallucination_rate: 'Hallucination rate',
  unparsed_rate: 'Unparsed answers',
};

const LOWER_IS_BETTER = new Set(['hallucination_rate', 'unparsed_rate']);

/** `accuracy_dar/color` -> `Describe and respond · color`. */
export function measureLabel(name: string): string {
  const [measure = name, ...type] = name.split('/');
  const label = LABELS[measure] ?? name;
  return type.length === 0 || label === name ? label : `${label} · ${type.join('/')}`;
}

export function lowerIsBetter(name: string): boolean {
  return LOWER_IS_BETTER.has(name.split('/')[0] ?? name);
}

/** `better` and `worse` need an interval that excludes zero; everything else shows nothing. */
export type Verdict = 'better' | 'worse' | 'not_shown';

export function verdict(name: string, delta: Measure): Verdict {
  const sign = delta.low > 0 ? 1 : delta.high < 0 ? -1 : 0;
  if (sign === 0) return 'not_shown';
  return sign > 0 !== lowerIsBetter(name) ? 'better' : 'worse';
}

/** Names of the headline measures that any of these has, in page order. */
export function headlineNames(all: readonly Measures[]): string[] {
  return HEADLINE_MEASURES.filter((name) => all.some((measures) => measures[name] !== undefined));
}

/** Names by question type (`accuracy/color`, ...) that any of these has, sorted. */
export function typedNames(all: readonly Measures[]): string[] {
  const names = all.flatMap((measures) => Object.keys(measures));
  return [...new Set(names.filter((name) => name.includes('/')))].sort();
}

const POLICY_LABELS: Record<EvaluatedPolicy, string> = {
  base: 'Start of the round',
  preference_training: 'After preference training',
  infused_training: 'After infused training',
};

/** The first round starts from the base model; later rounds from what came before. */
export function policyLabel(policy: EvaluatedPolicy, round: number): string {
  return policy === 'base' && round === 1 ? 'Base model' : POLICY_LABELS[policy];
}

export const POLICY_ORDER: readonly EvaluatedPolicy[] = [
  'base',
  'preference_training',
  'infused_training',
];
