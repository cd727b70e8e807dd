/** What a run has found, from its status and the artifacts it names: the document of `sticflow result`. */
import type { ArtifactRef } from '../contract/artifact.ts';
import {
  type BenchmarkFigures,
  Comparison,
  type Measures,
  Scores,
  type TableTest,
} from '../contract/measures.ts';
import { RoundResult, type RunStatus } from '../contract/status.ts';
import type { Store } from '../store/store.ts';
import { pValue, table } from './output.ts';
import { figuresTable } from './result-figures.ts';

/** Columns of the table for people, in this order where measured. */
const HEADLINES = [
  'accuracy',
  'accuracy_dar',
  'f1',
  'f1_dar',
  'description_f1',
  'hallucination_rate',
  'unparsed_rate',
] as const;

interface PolicyScores {
  readonly set: string;
  readonly policy: string;
  readonly benchmark: string;
  readonly measures: Measures;
  /** Of official benchmarks: what their own scripts count. */
  readonly figures: readonly BenchmarkFigures[];
  readonly scores: ArtifactRef;
}

interface RoundDocument {
  readonly round: number;
  readonly decision: RoundResult['decision'];
  readonly counts: RoundResult['counts'];
  readonly scores: readonly PolicyScores[];
  readonly comparisons: readonly {
    readonly set: string;
    readonly from: string;
    readonly to: string;
    readonly deltas: Measures;
    readonly tests: Comparison['tests'];
    /** Of the deciding measure, corrected for the sets of the table; null where it was not tested. */
    readonly significance: TableTest | null;
    readonly comparison: ArtifactRef;
  }[];
  readonly artifacts: Readonly<Record<string, ArtifactRef>>;
}

export interface ResultDocument {
  readonly schema_version: 1;
  readonly run_id: string;
  readonly state: RunStatus['state'];
  readonly rounds_planned: number;
  readonly config: ArtifactRef | null;
  readonly rounds: readonly RoundDocument[];
}

/** Reads every finished round, first to last. @throws SticflowError when an artifact is gone */
export async function readResult(store: Store, status: RunStatus): Promise<ResultDocument> {
  const rounds: RoundDocument[] = [];
  for (let ref = status.last_result; ref !== null; ) {
    const result: RoundResult = await store.readJson(ref, 'round_result.json', RoundResult);
    rounds.unshift(await readRound(store, ref, result));
    ref = result.previous;
  }
  return {
    schema_version: 1,
    run_id: status.run_id,
    state: status.state,
    rounds_planned: status.rounds,
    config: status.config,
    rounds,
  };
}

async function readRound(
  store: Store,
  ref: ArtifactRef,
  result: RoundResult,
): Promise<RoundDocument> {
  const scores = result.scores.map(async ({ set, policy, scores: scored }) => {
    const { benchmark, measures, figures } = await store.readJson(scored, 'scores.json', Scores);
    return { set, policy, benchmark, measures, figures, scores: scored };
  });
  const comparisons = result.comparisons.map(async (compared) => {
    const { set, from, to, significance, comparison } = compared;
    const { deltas, tests } = await store.readJson(comparison, 'comparison.json', Comparison);
    return { set, from, to, deltas, tests, significance, comparison };
  });
  return {
    round: result.round,
    decision: result.decision,
    counts: result.counts,
    scores: await Promise.all(scores),
    comparisons: await Promise.all(comparisons),
    artifacts: { ...result.artifacts, round_result: ref },
  };
}

/** One table a round: a line for each set and policy, the headline measures with their intervals. */
export function resultTable(document: ResultDocument): string {
  const blocks = document.rounds.map((round) => {
    const columns = HEADLINES.filter((name) =>
      round.scores.some(({ measures }) => name in measures),
    );
    const rows = round.scores.map(({ set, policy, measures }) => [
      set,
      policy,
      ...columns.map((name) => interval(measures, name)),
    ]);
    const title = `round ${String(round.round)}: ${round.decision.reason}`;
    if (rows.length === 0) return `${title}\n(no evaluation set)`;
    const blocks = [
      table([['set', 'policy', ...columns], ...rows]),
      figuresTable(round.scores),
      testsTable(round.comparisons),
    ];
    return [title, ...blocks.filter((block) => block !== '')].join('\n\n');
  });
  const head = `run ${document.run_id} · ${document.state} · ${String(document.rounds.length)} of ${String(document.rounds_planned)} rounds`;
  return [head, ...blocks, ...(isPartial(document) ? [WAITING] : [])].join('\n\n');
}

const WAITING =
  'Partial: answers wait for a judge, so there is no figure. evaluation.judge names one; where it has, `sticflow retry` of an evaluation asks it for what is missing.';

/** Whether answers have no judgement that need one. */
export function isPartial({ rounds }: ResultDocument): boolean {
  return rounds.some(({ scores }) =>
    scores.some(({ figures }) =>
      figures.some(({ num_judged, num_items }) => num_judged < num_items),
    ),
  );
}

/** What decides about the round, tested on every set; empty when nothing was compared. */
function testsTable(comparisons: RoundDocument['comparisons']): string {
  const rows = comparisons.flatMap(({ set, from, to, deltas, significance }) => {
    if (significance === null) return [];
    const { measure, p_value, p_holm, test } = significance;
    const delta = interval(deltas, measure);
    return [[set, `${from} to ${to}`, measure, delta, pValue(p_value), pValue(p_holm), test]];
  });
  const head = ['set', 'policies', 'measure', 'difference', 'p', 'p (Holm)', 'test'];
  return rows.length === 0 ? '' : table([head, ...rows]);
}

/** `0.761 [0.721, 0.799]`: value and 95 % interval. */
function interval(measures: Measures, name: string): string {
  const measure = measures[name];
  if (measure === undefined) return '';
  const { value, low, high } = measure;
  return `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}
