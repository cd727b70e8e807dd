/** A study with everything on its page: decided and open claims, a failed run, one that is not available, features. */
import { ExperimentConfig } from '../../../contract/config.ts';
import type { Measure } from '../../../contract/measures.ts';
import type { PaperResults } from '../../../contract/paper-results.ts';
import { StudyDescription, type StudyResult } from '../../../contract/study.ts';
import type { StudyPageInput } from '../../../report/study-input.ts';

function around(value: number, half: number): Measure {
  return { value, low: value - half, high: value + half, n: 480 };
}

const description = StudyDescription.parse({
  name: 'table2',
  title: 'Describe-and-respond by stage',
  question: 'Does describing first help?',
  sizes: { quick: { base: 'scenes-quick', seeds: [0, 1] } },
  arms: [
    { name: 'stic', title: 'STIC' },
    { name: 'povid', title: 'POVID-like', set: { strategy: 'povid' }, after: 'stic' },
  ],
  measures: ['accuracy', 'accuracy_dar'],
  rows: [
    { name: 'base', title: 'Base', arm: 'stic', policy: 'base' },
    { name: 'stage2', title: 'STIC', arm: 'stic', policy: 'infused_training' },
    { name: 'povid', title: 'POVID-like', arm: 'povid', policy: 'infused_training' },
  ],
  paper: { table: 'table2', remark: 'The paper has other benchmarks.' },
  claims: [
    {
      name: 'dar',
      text: 'Describe-and-respond hurts the base.',
      from: { row: 'base', measure: 'accuracy' },
      to: { row: 'base', measure: 'accuracy_dar' },
      expected: 'lower',
    },
  ],
  features: {
    evaluation_sets: ['test'],
    gain: { arm: 'stic', measure: 'accuracy_dar', policy: 'infused_training' },
  },
  remarks: ['A small world.'],
});

const result: StudyResult = {
  schema_version: 1,
  study_id: 'table2-quick-0123456789',
  name: 'table2',
  size: 'quick',
  seeds: [0, 1],
  evaluation_set: 'test',
  num_images: 240,
  runs: [
    run('stic', 0, 'completed', ''),
    run(
      'povid',
      0,
      'not_available',
      'not available in this version: the arm "povid" needs strategy',
    ),
    run('stic', 1, 'failed', 'The loss of step 2 is not finite.'),
  ],
  rows: [
    {
      name: 'base',
      title: 'Base',
      arm: 'stic',
      num_seeds: 1,
      x: null,
      measures: { accuracy: around(0.7, 0.02), accuracy_dar: around(0.61, 0.03) },
    },
    {
      name: 'stage2',
      title: 'STIC',
      arm: 'stic',
      num_seeds: 1,
      x: null,
      measures: { accuracy: around(0.71, 0.02), accuracy_dar: around(0.74, 0.03) },
    },
    { name: 'povid', title: 'POVID-like', arm: 'povid', num_seeds: 0, x: null, measures: {} },
  ],
  claims: [
    claim('dar', 'Describe-and-respond hurts the base.', 'holds', around(-0.09, 0.04), -2.3),
    claim('open', 'STIC answers better directly.', 'undecided', around(0.01, 0.02), null),
    claim('wrong', 'Stage 2 adds to stage 1.', 'does_not_hold', around(-0.03, 0.01), null),
    claim('povid', 'STIC beats POVID.', 'not_measured', null, 0.7),
  ],
  features: {
    overlaps: [{ set: 'test', num_images: 2, frechet: 1.234, mmd: 0.00123, mixing: 0.98 }],
    points: [
      { set: 'unlabelled', image_id: 'a'.repeat(64), x: 1, y: 2 },
      { set: 'test', image_id: 'b'.repeat(64), x: -3, y: 4 },
    ],
    gains: [{ set: 'test', gain: around(0.13, 0.03) }],
    correlation: { value: -0.05, low: -0.2, high: 0.1, n: 240 },
  },
};

const paper: PaperResults = {
  about: 'Published figures.',
  tables: {
    table2: {
      title: 'Table 2',
      source: 'arXiv:2405.19716',
      columns: ['Average', 'MM-Vet'],
      rows: { Original: [54.8, null], 'Original + DaR': [52.5, 42.3] },
      note: 'As printed.',
    },
  },
  cost: {
    gpu_hours_per_run: 24,
    basis: 'four cards',
    evaluation_hours_low: 2,
    evaluation_hours_high: 8,
    source: 'a summary',
  },
};

export function studyPage(): StudyPageInput {
  const base = ExperimentConfig.parse({
    name: 'scenes-quick',
    model: { source: 'builtin:scenes/model' },
    images: { source: 'builtin:scenes/images/unlabelled' },
    training_stages: ['preference_training'],
    preference: { images_per_round: 80 },
  });
  return {
    result,
    request: { description, size: 'quick', base, seeds: [0, 1] },
    runs: [],
    paper,
  };
}

/** The same page with a text of somebody's in every place that takes one. */
export function poisonedStudy(text: string): StudyPageInput {
  const page = studyPage();
  const { request } = page;
  return {
    ...page,
    request: {
      ...request,
      description: {
        ...request.description,
        title: text,
        question: text,
        x_title: text,
        remarks: [text],
        paper: { table: 'table2', remark: text },
        arms: request.description.arms.map((arm) => ({
          ...arm,
          title: text,
          set: { name: text },
        })),
      },
    },
    result: {
      ...result,
      evaluation_set: text,
      runs: result.runs.map((one) => ({ ...one, message: text })),
      rows: result.rows.map((row, place) => ({ ...row, title: `${text}${String(place)}` })),
      claims: result.claims.map((one) => ({ ...one, text })),
      features: {
        overlaps: [{ set: text, num_images: 2, frechet: 1, mmd: 0, mixing: 1 }],
        points: [{ set: text, image_id: text, x: 1, y: 2 }],
        gains: [{ set: text, gain: null }],
        correlation: null,
      },
    },
  };
}

function run(
  arm: string,
  seed: number,
  state: StudyResult['runs'][number]['state'],
  message: string,
): StudyResult['runs'][number] {
  const run_id = state === 'not_available' ? null : `scenes-quick-000000000${String(seed)}`;
  return { arm, seed, state, run_id, last_result: null, message };
}

function claim(
  name: string,
  text: string,
  verdict: StudyResult['claims'][number]['verdict'],
  ...[delta, paper_delta]: [Measure | null, number | null]
): StudyResult['claims'][number] {
  const num_seeds = delta === null ? 0 : 2;
  return {
    name,
    text,
    measure: 'accuracy',
    expected: 'higher',
    verdict,
    delta,
    num_seeds,
    paper_delta,
  };
}
