/**
 * A study: which runs are made (arms), what is read from them (rows and measures), which published
 * figures stand beside them and which claims are tested. Pure data, `config/studies/NAME.yaml`.
 */
import { z } from 'zod';
import { ArtifactKey } from './artifact.ts';
import { ExperimentConfig } from './config.ts';
import { Measure } from './measures.ts';
import { EvaluatedPolicy } from './status.ts';

const Name = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,39}$/, 'expected 1-40 of a-z, 0-9, _ and -');
const Sentence = z.string().trim().min(1).max(600);
const MeasureName = z.string().min(1).max(80);

/** More runs would make messages of the workflow larger than 8 KB. */
export const MAX_STUDY_RUNS = 60;

export const STUDY_SIZES = ['quick', 'full', 'real'] as const;
export const StudySize = z.enum(STUDY_SIZES);
export type StudySize = z.infer<typeof StudySize>;

/** Values of a config by dotted key, as behind `--set`. */
export const ConfigChanges = z.record(
  z.string().regex(/^[a-z0-9_]+(?:\.[a-z0-9_]+)*$/, 'expected a dotted key of the config'),
  z.json(),
);
export type ConfigChanges = z.infer<typeof ConfigChanges>;

const sizes = z
  .array(StudySize)
  .min(1)
  .nullable()
  .default(null)
  .describe('sizes of the study that it belongs to; null = all');

export const StudyArm = z.strictObject({
  name: Name,
  title: Sentence,
  sizes,
  set: ConfigChanges.default({}).describe('changes of the base preset'),
  set_by_size: z
    .partialRecord(StudySize, ConfigChanges)
    .default({})
    .describe('further changes that depend on the size of the study'),
  after: Name.nullable()
    .default(null)
    .describe('arm whose runs come first because this one reads artifacts of theirs'),
  nearest_images: z
    .strictObject({
      evaluation_set: Name.describe('whose images are the target distribution'),
      count: z.partialRecord(StudySize, z.int().positive()),
      order: z.enum(['nearest', 'farthest']).default('nearest'),
    })
    .nullable()
    .default(null)
    .describe('curation: unlabelled images chosen by the features of the vision tower'),
});
export type StudyArm = z.infer<typeof StudyArm>;

/** A policy of an arm: one row of the table, one point of the chart. */
export const StudyRow = z.strictObject({
  name: Name,
  title: Sentence,
  arm: Name,
  round: z.int().min(1).default(1),
  policy: EvaluatedPolicy,
  sizes,
  x: z.number().nullable().default(null).describe('place on a numeric axis'),
});
export type StudyRow = z.infer<typeof StudyRow>;

/** Where a row of a claim or of the table stands in `config/paper-results.json`. */
const PaperDifference = z.strictObject({
  table: z.string(),
  column: z.string(),
  from: z.string(),
  to: z.string(),
});

const ClaimSide = z.strictObject({ row: Name, measure: MeasureName });

/** `to` minus `from` is expected on one side of zero. */
export const StudyClaim = z.strictObject({
  name: Name,
  text: Sentence,
  sizes,
  from: ClaimSide,
  to: ClaimSide,
  expected: z.enum(['higher', 'lower']),
  paper: PaperDifference.nullable().default(null),
});
export type StudyClaim = z.infer<typeof StudyClaim>;

const SizeSettings = z.strictObject({
  base: z.string().min(1).describe('preset or YAML file'),
  seeds: z.array(z.int().min(0).max(2_147_483_647)).min(1).max(20),
  set: ConfigChanges.default({}).describe('changes of the base, before those of the arms'),
});

const StudyFields = z.strictObject({
  schema_version: z.literal(1).default(1),
  name: Name,
  title: Sentence,
  question: Sentence,
  sizes: z.partialRecord(StudySize, SizeSettings),
  arms: z.array(StudyArm).min(1).max(16),
  measures: z.array(MeasureName).min(1).max(8),
  rows: z.array(StudyRow).min(1).max(40),
  x_title: Sentence.nullable().default(null).describe('title of the numeric axis of the chart'),
  paper: z
    .strictObject({ table: z.string(), remark: Sentence.nullable().default(null) })
    .nullable()
    .default(null),
  claims: z.array(StudyClaim).max(20).default([]),
  features: z
    .strictObject({
      evaluation_sets: z.array(Name).min(1).max(4),
      max_images: z.int().min(2).max(5000).default(1000).describe('of each set; paper: 1,000'),
      gain: z.strictObject({ arm: Name, measure: MeasureName, policy: EvaluatedPolicy }),
    })
    .nullable()
    .default(null)
    .describe('image features, their projection and overlap (figure 8)'),
  remarks: z.array(Sentence).max(6).default([]).describe('what a reader has to know'),
});

/** Names are resolved within the description, so that a typing error is found before any run. */
export const StudyDescription = StudyFields.superRefine((study, context) => {
  const refuse = (path: (string | number)[], message: string): void => {
    context.addIssue({ code: 'custom', path, message });
  };
  const arms = study.arms.map(({ name }) => name);
  const rows = study.rows.map(({ name }) => name);
  for (const [list, names] of [
    ['arms', arms],
    ['rows', rows],
  ] as const) {
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) !== index) refuse([list, index, 'name'], `"${name}" is used twice`);
    }
  }
  for (const [index, { after }] of study.arms.entries()) {
    if (after !== null && !arms.slice(0, index).includes(after)) {
      refuse(['arms', index, 'after'], `expected an arm above this one, got "${after}"`);
    }
  }
  for (const [index, { arm }] of study.rows.entries()) {
    if (!arms.includes(arm)) refuse(['rows', index, 'arm'], `names no arm: "${arm}"`);
  }
  for (const [index, claim] of study.claims.entries()) {
    for (const side of ['from', 'to'] as const) {
      const { row } = claim[side];
      if (!rows.includes(row)) refuse(['claims', index, side, 'row'], `names no row: "${row}"`);
    }
  }
  if (study.features !== null && !arms.includes(study.features.gain.arm)) {
    refuse(['features', 'gain', 'arm'], `names no arm: "${study.features.gain.arm}"`);
  }
});
export type StudyDescription = z.infer<typeof StudyDescription>;

/** What a person starts: `base` is the config that every arm changes, with sources as ids. */
export const StudyRequest = z.strictObject({
  description: StudyDescription,
  size: StudySize,
  base: ExperimentConfig,
  seeds: z.array(z.int().min(0).max(2_147_483_647)).min(1).max(20),
});
export type StudyRequest = z.infer<typeof StudyRequest>;

/** One run of an arm; `config` is null when this version of the program has no such config. */
export const PlannedRun = z.strictObject({
  arm: Name,
  seed: z.int(),
  config: ExperimentConfig.nullable(),
  unavailable: z.string().nullable().describe('why there is no config'),
  after: z.int().nonnegative().nullable().describe('index of the run that comes first'),
});
export type PlannedRun = z.infer<typeof PlannedRun>;

/** `plan.json` of a study_plan artifact. */
export const StudyPlan = z.strictObject({
  study_id: z.string(),
  request: StudyRequest,
  runs: z.array(PlannedRun).max(MAX_STUDY_RUNS),
});
export type StudyPlan = z.infer<typeof StudyPlan>;

export const STUDY_RUN_STATES = [
  'waiting',
  'running',
  'completed',
  'failed',
  'not_available',
] as const;

/** How one run of a study ended. */
export const StudyRunOutcome = z.strictObject({
  state: z.enum(['completed', 'failed', 'not_available']),
  run_id: z.string().max(80).nullable(),
  last_result: ArtifactKey.nullable().describe('round_result of the last round'),
  message: z.string().max(300),
});
export type StudyRunOutcome = z.infer<typeof StudyRunOutcome>;

export const Verdict = z.enum(['holds', 'does_not_hold', 'undecided', 'not_measured']);
export type Verdict = z.infer<typeof Verdict>;

export const ClaimResult = z.strictObject({
  name: Name,
  text: z.string(),
  measure: z.string(),
  expected: z.enum(['higher', 'lower']),
  verdict: Verdict,
  delta: Measure.nullable().describe('to minus from; null when a side was not measured'),
  num_seeds: z.int().nonnegative(),
  paper_delta: z.number().nullable().describe('in points of the paper'),
});
export type ClaimResult = z.infer<typeof ClaimResult>;

export const RowResult = z.strictObject({
  name: Name,
  title: z.string(),
  arm: Name,
  num_seeds: z.int().nonnegative(),
  x: z.number().nullable(),
  measures: z.record(z.string(), Measure),
});
export type RowResult = z.infer<typeof RowResult>;

/** How near a set of images is to the unlabelled ones, in features of the vision tower. */
export const Overlap = z.strictObject({
  set: z.string(),
  num_images: z.int(),
  frechet: z.number().describe('squared Frechet distance of two Gaussians'),
  mmd: z.number().describe('unbiased squared maximum mean discrepancy, Gaussian kernel'),
  mixing: z
    .number()
    .describe('share of nearest neighbours from the other set over its expectation; 1 = mixed'),
});
export type Overlap = z.infer<typeof Overlap>;

export const ProjectedPoint = z.strictObject({
  set: z.string(),
  image_id: z.string(),
  x: z.number(),
  y: z.number(),
});
export type ProjectedPoint = z.infer<typeof ProjectedPoint>;

export const FeaturesResult = z.strictObject({
  overlaps: z.array(Overlap),
  points: z.array(ProjectedPoint),
  gains: z.array(z.strictObject({ set: z.string(), gain: Measure.nullable() })),
  correlation: Measure.nullable().describe(
    "Spearman, over images: distance to the nearest unlabelled images against the image's gain",
  ),
});
export type FeaturesResult = z.infer<typeof FeaturesResult>;

/** `study.json` of a study artifact. */
export const StudyResult = z.strictObject({
  schema_version: z.literal(1),
  study_id: z.string(),
  name: Name,
  size: StudySize,
  seeds: z.array(z.int()),
  evaluation_set: z.string(),
  num_images: z.int().nonnegative(),
  runs: z.array(StudyRunOutcome.extend({ arm: Name, seed: z.int() })),
  rows: z.array(RowResult),
  claims: z.array(ClaimResult),
  features: FeaturesResult.nullable(),
});
export type StudyResult = z.infer<typeof StudyResult>;

/** Answer to the `status` query of a `study` workflow, and what it returns. */
export const StudyStatus = z.strictObject({
  schema_version: z.literal(1),
  study_id: z.string(),
  state: z.enum(['starting', 'running', 'completed', 'cancelled', 'failed']),
  runs: z.array(
    z.strictObject({
      arm: z.string(),
      seed: z.int(),
      run_id: z.string().nullable(),
      state: z.enum(STUDY_RUN_STATES),
    }),
  ),
  message: z.string(),
  result: ArtifactKey.nullable().describe('study artifact'),
});
export type StudyStatus = z.infer<typeof StudyStatus>;
