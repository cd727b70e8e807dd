/** The answer files of the parity data, each with the metrics that the official script gives for it. */
import type { BenchmarkScore, ItemScore, Metrics } from '../../benchmarks/scorer.ts';
import { SCORERS } from '../../benchmarks/scorers.ts';
import { parityJson, parityLines, parityPath } from './files.ts';

export interface ParityRun {
  readonly benchmark: string;
  readonly answers: string;
  readonly judgements?: string;
  /** Expected metrics; entries that no script printed are left out. */
  readonly metrics: () => Metrics;
  /** Expected answer of each item, by id; where the data has it. */
  readonly items?: () => ReadonlyMap<string, string>;
  /** An item in the form of `items`. */
  readonly itemText?: (item: ItemScore) => string;
}

/** Remarks beside the figures in `expected.json`: other scripts' results, and prose. */
const REMARKS = /^(?:published_|note$)/;

function figures(expected: Metrics): Metrics {
  return Object.fromEntries(Object.entries(expected).filter(([name]) => !REMARKS.test(name)));
}

function modelFigures(benchmark: string, model: string): Metrics {
  return figures(
    parityJson<Record<string, Metrics>>(benchmark, 'expected.json')['models']?.[model] ?? {},
  );
}

const scienceqa = ['llava-v1.5-13b', 'text-davinci-002-2shot'].map(
  (model): ParityRun => ({
    benchmark: 'scienceqa',
    answers: `predictions/${model}.jsonl`,
    metrics: () => modelFigures('scienceqa', model),
    items: () => {
      const file = ['scienceqa', 'expected_per_sample', `${model}.json`];
      const entries = Object.entries(parityJson<[string, number]>(...file));
      return new Map(entries.map(([id, [letter]]) => [id, letter]));
    },
    itemText: ({ parsed }) => parsed ?? 'FAILED',
  }),
);

const textvqa: ParityRun = {
  benchmark: 'textvqa',
  answers: 'answers/llava-v1.5-13b.jsonl',
  metrics: () => modelFigures('textvqa', 'llava-v1.5-13b'),
};

const chartqa = ['real_outputs', 'chartqa_real_predictions', 'perturbed_labels'].map(
  (name): ParityRun => ({
    benchmark: 'chartqa',
    answers: `${name}.jsonl`,
    metrics: () => {
      const expected = parityJson<Record<string, Metrics>>('chartqa', 'expected.json');
      const { files = {}, by_source = {} } = expected;
      const whole = files[`${name}.jsonl`] ?? {};
      return name === 'real_outputs' ? { ...whole, by_source } : whole;
    },
    items: () => {
      const rows = parityLines<{ expected: boolean }>('chartqa', `${name}.jsonl`);
      return new Map(rows.map(({ expected }, index) => [String(index), String(expected)]));
    },
    itemText: ({ score }) => String(score === 1),
  }),
);

const pope: ParityRun = {
  benchmark: 'pope',
  answers: 'answers/llava-v1.5-13b.jsonl',
  metrics: () => {
    const expected = parityJson<Metrics>('pope', 'expected.json');
    const { mean_f1_over_3 = null } = expected;
    return { ...expected['llava-v1.5-13b'], mean_f1_over_3 };
  },
};

const mmvet = ['1', '3'].map(
  (runs): ParityRun => ({
    benchmark: 'mmvet',
    answers: 'llava-v1.5-13b.json',
    judgements: `grades/llava-v1.5-13b_gpt-4-grade-${runs}runs.json`,
    metrics: () => parityJson<Metrics>('mmvet', 'expected.json')[`runs${runs}`] ?? {},
  }),
);

const llavabench = ['eval1', 'eval2', 'eval3'].map(
  (name): ParityRun => ({
    benchmark: 'llavabench',
    answers: 'answers/llava-v1.5-13b.jsonl',
    judgements: `reviews/llava-v1.5-13b-${name}.jsonl`,
    metrics: () => {
      const { runs } = parityJson<Record<string, Metrics>>('llavabench', 'expected.json');
      return runs?.[`llava-v1.5-13b-${name}`] ?? {};
    },
  }),
);

const mathvista = ['bard', 'llava_llama_2_13b'].map(
  (model): ParityRun => ({
    benchmark: 'mathvista',
    answers: `predictions/${model}.json`,
    metrics: () => modelFigures('mathvista', model),
    items: () => {
      const file = ['mathvista', 'expected_per_sample', `${model}.json`];
      const entries = Object.entries(parityJson<[string | null, boolean]>(...file));
      return new Map(entries.map(([id, expected]) => [id, JSON.stringify(expected)]));
    },
    itemText: ({ parsed, score }) => JSON.stringify([parsed, score === 1]),
  }),
);

const mmbench: ParityRun = {
  benchmark: 'mmbench',
  answers: 'predictions/llava-v1.5-13b.tsv',
  metrics: () => parityJson<Metrics>('mmbench', 'expected.json')['llava-v1.5-13b'] ?? {},
  items: () => {
    const file = ['mmbench', 'expected_group_hit', 'llava-v1.5-13b.json'];
    const entries = Object.entries(parityJson<number>(...file));
    return new Map(entries.map(([id, hit]) => [id, String(hit)]));
  },
  itemText: ({ score }) => String(score),
};

const chair = ['llava-1.5_greedy', 'minigpt4_greedy'].map(
  (model): ParityRun => ({
    benchmark: 'chair',
    answers: `captions/${model}.jsonl`,
    metrics: () => modelFigures('chair', model),
    items: () => {
      const file = ['chair', 'expected_per_sample', `${model}.jsonl`];
      const rows = parityLines<{ image_id: number; objects_mentioned: string[] }>(...file);
      return new Map(rows.map((row) => [String(row.image_id), row.objects_mentioned.join(', ')]));
    },
    itemText: ({ parsed }) => parsed ?? '',
  }),
);

export const PARITY_RUNS: readonly ParityRun[] = [
  ...scienceqa,
  textvqa,
  ...chartqa,
  pope,
  ...mmvet,
  ...llavabench,
  ...mathvista,
  mmbench,
  ...chair,
];

/** Scores the run's files with the official parser. */
export async function scoreRun({
  benchmark,
  answers,
  judgements,
}: ParityRun): Promise<BenchmarkScore> {
  const scorer = SCORERS[benchmark];
  if (scorer === undefined) throw new Error(`There is no scorer of ${benchmark}.`);
  return scorer({
    data: parityPath(benchmark),
    answers: parityPath(benchmark, answers),
    judgements: judgements === undefined ? null : parityPath(benchmark, judgements),
    parser: 'official',
  });
}
