/** The official figures of a result as a table: what each benchmark's own script prints, with both parsers where they differ. */
import type { BenchmarkFigures } from '../contract/measures.ts';
import { table } from './output.ts';

/** Paths into the metrics of a benchmark; all of them are in the JSON document. */
const HEADLINES: Readonly<Record<string, readonly string[]>> = {
  scienceqa: ['accuracy_pct', 'img_accuracy_pct'],
  textvqa: ['accuracy'],
  chartqa: ['accuracy'],
  // Beside: the first of several runs of the judge.
  llavabench: ['all.relative_score', 'runs.0.all.relative_score'],
  mmbench: ['circular.Overall', 'vanilla_main_rows'],
  mmvet: ['cap_score.total'],
  mathvista: ['scores.average.accuracy'],
  pope: ['random.f1_score', 'popular.f1_score', 'adversarial.f1_score', 'mean_f1_over_3'],
  chair: ['CHAIRs', 'CHAIRi', 'Recall'],
};

export interface PolicyFigures {
  readonly set: string;
  readonly policy: string;
  readonly benchmark: string;
  readonly figures: readonly BenchmarkFigures[];
}

/** Empty when no official benchmark was scored. */
export function figuresTable(scores: readonly PolicyFigures[]): string {
  const rows = scores.flatMap(({ set, policy, benchmark, figures }) =>
    figures.flatMap((one) => rowsOf(benchmark, one).map((row) => [set, policy, one.mode, ...row])),
  );
  if (rows.length === 0) return '';
  return table([['set', 'policy', 'answers', 'figure', 'official', 'robust'], ...rows]);
}

function rowsOf(benchmark: string, figures: BenchmarkFigures): string[][] {
  const { official, robust, num_items, num_judged } = figures;
  if (num_judged < num_items) {
    return [['partial', `${num_judged}/${num_items} judged: no figure`, '']];
  }
  const shown = (HEADLINES[benchmark] ?? []).flatMap((path): string[][] => {
    const [one, other] = [at(official.metrics, path), at(robust.metrics, path)];
    return one === undefined ? [] : [[path, one, other === one ? '' : (other ?? '')]];
  });
  // MMBench asks a question once a rotation: its answers are more than its items.
  const outOf = benchmark === 'mmbench' ? ' answers' : `/${num_items}`;
  const unparsed = [official.unparsed, robust.unparsed].map((count) => `${count}${outOf}`);
  return [
    ...shown,
    ['unparsed', unparsed[0] ?? '', unparsed[0] === unparsed[1] ? '' : (unparsed[1] ?? '')],
  ];
}

/** `a.b` of `{a: {b: 1}}` as text; undefined where there is none. */
function at(metrics: unknown, path: string): string | undefined {
  let value = metrics;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !(name in value)) return undefined;
    value = (value as Record<string, unknown>)[name]; // `in` has looked
  }
  return typeof value === 'number' ? String(Math.round(value * 10_000) / 10_000) : undefined;
}
