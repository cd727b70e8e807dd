/** A run as the report sees it: two rounds over scenes, with everything the page can show. */
import { ExperimentConfig } from '../../../contract/config.ts';
import type { RoundResult, RunStatus } from '../../../contract/status.ts';
import type { PairSample, ReportInput, ReportRound, TrainingRow } from '../../../report/input.ts';
import { fakeHash } from './fixture-hash.ts';
import { lineage, ref } from './fixture-lineage.ts';
import { pair, pictureUri } from './fixture-pairs.ts';
import { comparison, SET, scores } from './fixture-scores.ts';

function trainingRows(steps: number, round: number): TrainingRow[] {
  return Array.from({ length: steps }, (_, index) => {
    const noise = Math.sin(index * 12.9898 + round) * 0.5;
    const progress = 1 - Math.exp((-3 * index) / steps);
    return {
      step: index + 1,
      values: {
        loss: 0.87 - 0.35 * progress + 0.06 * noise,
        'rewards/margins': (0.9 + 0.3 * round) * progress + 0.2 * noise,
        'rewards/accuracies': Math.min(1, Math.max(0, 0.5 + 0.42 * progress + 0.2 * noise)),
      },
    };
  });
}

async function reportRound(round: number): Promise<ReportRound> {
  const policies = ['base', 'preference_training', 'infused_training'] as const;
  const base = scores(round, 'base');
  const [clean, low] = [await pictureUri(), await pictureUri(96, 6)];
  const change = (before: string, after: string) => ({
    set: SET,
    mode: 'dar' as const,
    question: 'What colour is the largest shape?',
    question_type: 'color',
    expected: 'red',
    before,
    after,
    image_data_uri: clean,
  });
  return {
    round,
    result: roundResult(round),
    scores: policies.map((policy) => ({ set: SET, policy, scores: scores(round, policy) })),
    comparisons: policies.slice(1).map((to) => ({
      set: SET,
      from: 'base' as const,
      to,
      comparison: comparison(base, scores(round, to)),
    })),
    training: {
      preference_training: trainingRows(68, round),
      infused_training: trainingRows(40, round),
    },
    pairs: Array.from({ length: 6 }, (_, index): PairSample => {
      const sample = pair(index, round);
      return {
        pair: sample,
        image_data_uri: clean,
        corrupted_image_data_uri: sample.provenance.corruption === null ? null : low,
      };
    }),
    num_pairs: 540,
    dropped: { equal: 3, cut: 11, repeating: 4 },
    item_changes: {
      from: 'base',
      to: 'infused_training',
      fixed: [change('The largest shape is a blue square.', 'The largest shape is a red square.')],
      broken: [change('red', 'orange')],
    },
  };
}

function roundResult(round: number): RoundResult {
  const model = ref('model', 'model');
  return {
    schema_version: 1,
    round,
    start_policy: { model, adapter: null },
    end_policy: { model, adapter: ref('adapter', 'adapter') },
    artifacts: {},
    counts: { pairs: 540 },
    scores: [],
    comparisons: [],
    decision: {
      action: 'promote',
      reason: 'accuracy_dar on scenes-test rose by 9.8 points (95 % interval +7.0 to +12.6).',
    },
    previous: null,
  };
}

const CONFIG = ExperimentConfig.parse({
  name: 'scenes',
  seed: 7,
  rounds: 2,
  model: { source: 'builtin:scenes/model', dtype: 'float32' },
  images: { source: 'builtin:scenes/images/unlabelled' },
  infusion: {
    instructions: 'builtin:scenes/instructions.json',
    image_root: 'builtin:scenes/images',
  },
  evaluation: {
    sets: [
      {
        name: SET,
        benchmark: 'scenes',
        questions: 'builtin:scenes/questions-test.jsonl',
        truth: 'builtin:scenes/truth-test.jsonl',
        image_root: 'builtin:scenes/images',
      },
    ],
  },
  decision: { set: SET },
});

export function status(state: RunStatus['state'], rounds: number): RunStatus {
  return {
    schema_version: 1,
    run_id: 'scenes-4f2a9c81d0',
    state,
    round: rounds,
    rounds,
    stages: [
      { stage: 'ingest', state: 'done', done: 1, total: 1, detail: '', seconds: 2.31 },
      { stage: 'preference', state: 'done', done: 8, total: 8, detail: '', seconds: 48 },
      {
        stage: 'preference_training',
        state: state === 'completed' ? 'done' : 'running',
        done: 31,
        total: 68,
        detail: 'loss 0.62',
        seconds: state === 'completed' ? 39 : null,
      },
      { stage: 'infusion', state: 'waiting', done: 0, total: 0, detail: '', seconds: null },
      { stage: 'infused_training', state: 'waiting', done: 0, total: 0, detail: '', seconds: null },
      { stage: 'evaluation', state: 'waiting', done: 0, total: 0, detail: '', seconds: null },
    ],
    rounds_done: [],
    config: null,
    last_result: null,
    message: '',
  };
}

/** A finished run of `rounds` rounds with everything measured. */
export async function finishedRun(rounds = 2): Promise<ReportInput> {
  const first = scores(1, 'base');
  const last = scores(rounds, 'infused_training');
  return {
    status: status('completed', rounds),
    written_at: '2026-11-24T10:15:00.000Z',
    config: { ...CONFIG, rounds },
    prompts: {
      well_crafted: {
        id: 'well-crafted',
        text: 'Please provide a detailed description.\nStep 1: ...',
      },
      normal: { id: 'normal', items: ['Illustrate the details of the picture.', 'What is shown?'] },
      bad: { id: 'bad', items: ['Describe the image with imaginative objects.'] },
      infusion_template: {
        id: 'infusion',
        template: 'Image description: {description}\n{instruction}',
      },
      describe_and_respond: {
        id: 'dar',
        description_prompt: 'Describe the image.',
        question_template: 'Image description: {description}\n{question}',
      },
    },
    rounds: await Promise.all(Array.from({ length: rounds }, (_, index) => reportRound(index + 1))),
    overall: {
      set: SET,
      from: 'base',
      to: 'infused_training',
      comparison: comparison(first, last),
    },
    quarantine: [
      {
        source_name: 'half.jpg',
        reason: 'undecodable',
        detail: 'premature end of JPEG image',
        sha256: fakeHash('half'),
      },
      {
        source_name: 'logo.svg',
        reason: 'unsupported_format',
        detail: 'looks like SVG; only JPEG, PNG and WebP',
        sha256: fakeHash('logo'),
      },
      { source_name: 'gone.png', reason: 'missing', detail: 'no such file', sha256: null },
    ],
    num_quarantined: 3,
    duplicates: [
      { source_name: 'copy.png', image_id: fakeHash('copy'), duplicate_of: 'scene-00001.png' },
    ],
    num_duplicates: 1,
    lineage: lineage(rounds),
    environment: {
      versions: { sticflow: '0.1.0', node: 'v20.20.2', python: '3.11.7', torch: '2.15.0' },
      machine: 'x86_64, 2 cores',
      platform: 'linux 6.1',
      num_threads: 2,
    },
  };
}

/** Just started: no config, no rounds, nothing finished. */
export function startingRun(): ReportInput {
  return {
    status: { ...status('starting', 2), round: 0, stages: [] },
    written_at: '2026-11-24T10:00:00.000Z',
    config: null,
    prompts: null,
    rounds: [],
    overall: null,
    quarantine: [],
    num_quarantined: 0,
    duplicates: [],
    num_duplicates: 0,
    lineage: { nodes: [], edges: [] },
    environment: { versions: {}, machine: '', platform: '', num_threads: null },
  };
}

/** In the middle of the first round: pairs and half a training, no scores. */
export async function runningRun(): Promise<ReportInput> {
  const [round] = (await finishedRun(1)).rounds;
  if (round === undefined) throw new Error('a finished run has a round');
  const unfinished: ReportRound = {
    ...round,
    result: null,
    scores: [],
    comparisons: [],
    training: { preference_training: trainingRows(31, 1) },
    item_changes: null,
  };
  return {
    ...startingRun(),
    status: { ...status('running', 1), rounds: 2 },
    config: CONFIG,
    rounds: [unfinished],
  };
}
