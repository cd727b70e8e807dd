/** What came out, in a sentence or two: with the interval, and honest when nothing is shown. */
import type { Measure } from '../contract/measures.ts';
import { CONFIDENCE, counted, percent, points, pointsInterval, words } from './format.ts';
import type { PolicyComparison, ReportInput, ReportRound } from './input.ts';
import { HEADLINE_MEASURES, measureLabel, POLICY_ORDER, verdict } from './measures.ts';

/** The comparison that the page leads with, and the scores on both of its sides. */
export interface Outcome {
  readonly set: string;
  readonly measure: string;
  readonly delta: Measure;
  readonly start: Measure | null;
  readonly end: Measure | null;
  readonly comparison: PolicyComparison;
  /** `run` = the end of the run against its very start, `round` = within the round named. */
  readonly scope: { readonly of: 'run' | 'round'; readonly round: number };
}

/** The decisive measure's outcome, or null when nothing was compared yet. */
export function findOutcome(input: ReportInput): Outcome | null {
  const found = leadingComparison(input);
  if (found === null) return null;
  const wanted = input.config?.decision.measure;
  const measure = [wanted, 'accuracy_dar', 'accuracy', ...HEADLINE_MEASURES].find(
    (name) => name !== undefined && found.comparison.comparison.deltas[name] !== undefined,
  );
  return measure === undefined ? null : outcomeOf(input, found, measure);
}

/** The same comparison seen through another measure; null when it was not measured. */
export function sameOutcome(input: ReportInput, outcome: Outcome, measure: string): Outcome | null {
  return outcomeOf(input, outcome, measure);
}

/** A claim and the figures that carry it, kept apart so that the page can set them apart. */
export interface Sentence {
  readonly claim: string;
  /** '' where there are none. */
  readonly figures: string;
}

/** The page's first sentences. */
export function headline(input: ReportInput): Sentence[] {
  const outcome = findOutcome(input);
  if (outcome === null) return [{ claim: unmeasured(input), figures: '' }];
  const sentences = [{ claim: claim(outcome), figures: figures(outcome) }];
  if (outcome.measure !== 'hallucination_rate') {
    const other = sameOutcome(input, outcome, 'hallucination_rate');
    if (other !== null) sentences.push({ claim: shortClaim(other), figures: figures(other) });
  }
  return sentences;
}

function leadingComparison(input: ReportInput): Pick<Outcome, 'comparison' | 'scope'> | null {
  const wantedSet = input.config?.decision.set ?? input.config?.evaluation.sets[0]?.name;
  const last = input.rounds.at(-1)?.round ?? 0;
  if (input.overall !== null) {
    return {
      comparison: input.overall,
      scope: { of: input.rounds.length > 1 ? 'run' : 'round', round: last },
    };
  }
  for (const round of input.rounds.toReversed()) {
    const fromStart = round.comparisons
      .filter(({ from, to }) => from === 'base' && to !== 'base')
      .toSorted((a, b) => POLICY_ORDER.indexOf(b.to) - POLICY_ORDER.indexOf(a.to));
    const comparison = fromStart.find(({ set }) => set === wantedSet) ?? fromStart[0];
    if (comparison !== undefined) return { comparison, scope: { of: 'round', round: round.round } };
  }
  return null;
}

function outcomeOf(
  input: ReportInput,
  { comparison, scope }: Pick<Outcome, 'comparison' | 'scope'>,
  measure: string,
): Outcome | null {
  const delta = comparison.comparison.deltas[measure];
  if (delta === undefined) return null;
  const scoreIn = (round: ReportRound | undefined, policy: string): Measure | null =>
    round?.scores.find((each) => each.set === comparison.set && each.policy === policy)?.scores
      .measures[measure] ?? null;
  const end = input.rounds.find(({ round }) => round === scope.round);
  const start = scope.of === 'run' ? input.rounds[0] : end;
  return {
    set: comparison.set,
    measure,
    delta,
    start: scoreIn(start, comparison.from),
    end: scoreIn(end, comparison.to),
    comparison,
    scope,
  };
}

const SUBJECTS: Readonly<Record<string, string>> = {
  accuracy: 'Accuracy of direct answers',
  accuracy_dar: 'Accuracy with describe-and-respond',
  hallucination_rate: 'The hallucination rate',
  description_f1: 'F1 of the descriptions',
};

function claim(outcome: Outcome): string {
  const { scope, set, measure } = outcome;
  const subject = lowerFirst(SUBJECTS[measure] ?? measureLabel(measure));
  const rounds = String(scope.round);
  const when = scope.of === 'run' ? `Over ${rounds} rounds` : `In round ${rounds}`;
  return `${when}, ${subject} on ${set} ${change(outcome)}.`;
}

function shortClaim(outcome: Outcome): string {
  return `${SUBJECTS[outcome.measure] ?? measureLabel(outcome.measure)} ${change(outcome)}.`;
}

function change({ delta, start, end, measure }: Outcome): string {
  const ends =
    start !== null && end !== null ? ` from ${percent(start.value)} to ${percent(end.value)}` : '';
  const shown = verdict(measure, delta) !== 'not_shown';
  if (shown) return `${delta.value > 0 ? 'rose' : 'fell'}${ends}`;
  return ends === '' ? 'shows no effect' : `went${ends}, which shows no effect`;
}

function figures({ delta, measure }: Outcome): string {
  const includes = verdict(measure, delta) === 'not_shown' ? ', which includes zero' : '';
  return `${points(delta.value)} points, ${CONFIDENCE} interval ${pointsInterval(delta)}${includes}`;
}

function unmeasured({ status, rounds, config }: ReportInput): string {
  if (config?.training_stages.length === 0 && status.state === 'completed') {
    return `The model was evaluated on ${counted(config.evaluation.sets.length, 'set')}; nothing was trained.`;
  }
  const pairs = rounds.reduce((sum, round) => sum + round.num_pairs, 0);
  const so_far = `${counted(pairs, 'preference pair')} ${pairs === 1 ? 'was' : 'were'} made`;
  const running = status.stages.find(({ state }) => state === 'running');
  if (status.state === 'failed') return 'The run failed before anything was compared.';
  if (status.state === 'completed') {
    const reason =
      config !== null && config.evaluation.sets.length === 0
        ? ' because the config names no evaluation set'
        : '';
    return `${counted(rounds.length, 'round')} finished and ${so_far}; nothing was compared${reason}.`;
  }
  if (running === undefined) return `The run is ${status.state}; nothing has been compared yet.`;
  const progress =
    running.total > 0 ? ` (${String(running.done)} of ${String(running.total)})` : '';
  return `Round ${String(status.round)} of ${String(status.rounds)} is in ${words(running.stage)}${progress}; nothing has been compared yet.`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
