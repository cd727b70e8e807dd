/** Scores of a policy on an evaluation set, and paired differences between two policies. */
import { z } from 'zod';
import { ImageId } from './records.ts';

/** A value with its 95 % bootstrap interval, clustered by image. Shares lie in 0..1. */
export const Measure = z.strictObject({
  value: z.number(),
  low: z.number(),
  high: z.number(),
  n: z.int().nonnegative().describe('items the value is over'),
});
export type Measure = z.infer<typeof Measure>;

/**
 * By name: `accuracy`, `accuracy_dar`, `accuracy/<type>`, `accuracy_dar/<type>`,
 * `description_precision`, `description_recall`, `description_f1`, `hallucination_rate`,
 * `unparsed_rate`; POPE also `f1`, `f1_dar`. Accuracy is of direct answers, `_dar` of
 * describe-and-respond; of graded answers it is the mean grade. Type `IMG` = questions with an image.
 */
export const Measures = z.record(z.string(), Measure);
export type Measures = z.infer<typeof Measures>;

/** Asked at once, or with the policy's own description in front (describe-and-respond). */
export const AnswerMode = z.enum(['direct', 'dar']);
export type AnswerMode = z.infer<typeof AnswerMode>;

/** `items.jsonl` of a scores artifact: what was asked, said and counted. */
export const ScoredItem = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('answer'),
    item_id: z.string(),
    image_id: ImageId.nullable().describe('null = the question is about text alone'),
    mode: AnswerMode,
    question: z.string(),
    question_type: z.string(),
    expected: z.string().describe('empty where only a judge can tell'),
    prompt: z
      .string()
      .optional()
      .describe('the user turn as it was asked, with the description in front; since scores 2'),
    description: z.string().nullable().optional().describe('that the prompt carries; null = none'),
    text: z.string(),
    parsed: z.string().nullable(),
    score: z.number().nullable().describe('null = not judged: missing, never a score'),
    weight: z.number().positive().optional().describe('what the score is out of, when not 1'),
    robust_score: z.number().nullable().optional().describe('by the robust parser'),
  }),
  z.strictObject({
    type: z.literal('description'),
    item_id: z.string(),
    image_id: ImageId,
    text: z.string(),
    num_true_objects: z.int(),
    num_described: z.int(),
    num_correct: z.int(),
    hallucinated: z.boolean(),
  }),
]);
export type ScoredItem = z.infer<typeof ScoredItem>;

/** What a parser counts; its figures as the benchmark reports them, null while judgements are missing. */
const ParserFigures = z.strictObject({ metrics: z.json(), unparsed: z.int() });

/** An official benchmark scored from its own answers file, which lies beside. */
export const BenchmarkFigures = z.strictObject({
  mode: AnswerMode,
  official: ParserFigures,
  robust: ParserFigures,
  num_items: z.int(),
  num_judged: z.int().describe('fewer than num_items = partial: no figure, no comparison'),
  answers_file: z.string(),
});
export type BenchmarkFigures = z.infer<typeof BenchmarkFigures>;

/** What must be the same on both sides of a comparison, beside the questions. */
export const ScoringConditions = z.strictObject({
  template_sha256: z.string().nullable().describe('chat template; null = the engine tells none'),
  image_mode: z.string().describe('image processor: hash of its settings, and its backend'),
  describe_blind: z.boolean(),
  description_prompt: z.string().nullable().describe('null = no describe-and-respond'),
  question_template: z.string().nullable(),
  max_new_tokens: z.int(),
  judge: z.string().nullable().describe('label of the judge; null = nobody judged'),
});
export type ScoringConditions = z.infer<typeof ScoringConditions>;

/** Pictures of an evaluation set that the run also trains on. */
export const Contamination = z.strictObject({
  num_training_images: z.int(),
  num_evaluation_images: z.int(),
  identical: z.int().describe('evaluation images with the bytes of a training image'),
  alike: z.int().describe('others whose difference hash is at most 4 of 64 bits from one'),
  examples: z.array(
    z.strictObject({
      evaluation: z.string(),
      training: z.string(),
      distance: z.int().nullable().describe('bits; null = the same bytes'),
    }),
  ),
});
export type Contamination = z.infer<typeof Contamination>;

/** `scores.json` of a scores artifact. */
export const Scores = z.strictObject({
  set: z.string(),
  benchmark: z.string(),
  measures: Measures,
  num_images: z.int(),
  num_questions: z.int(),
  num_unparsed: z.int(),
  figures: z.array(BenchmarkFigures).default([]).describe('official benchmarks; one a mode'),
  contamination: Contamination.nullable()
    .default(null)
    .describe('against the unlabelled images of the run; null = it trains on none'),
  instruction_contamination: Contamination.optional().describe(
    'against the images of the instructions that the policy was trained on; absent = on none',
  ),
  conditions: ScoringConditions.nullable().default(null).describe('null = scored before 2'),
});
export type Scores = z.infer<typeof Scores>;

/** A paired, two-sided test of one measure's difference against chance. */
export const SignificanceTest = z.strictObject({
  test: z
    .enum(['mcnemar', 'permutation'])
    .describe('mcnemar: exact, right and wrong answers, an image each; permutation: by image'),
  p_value: z.number().min(0).max(1),
});
export type SignificanceTest = z.infer<typeof SignificanceTest>;

/** A test as it stands in a table of several sets. */
export const TableTest = SignificanceTest.extend({
  measure: z.string(),
  p_holm: z.number().min(0).max(1).describe('corrected for the sets of the table (Holm 1979)'),
});
export type TableTest = z.infer<typeof TableTest>;

/** `comparison.json`: paired differences b - a of every measure both have, each with its test. */
export const Comparison = z.strictObject({
  set: z.string(),
  deltas: Measures,
  tests: z.record(z.string(), SignificanceTest).default({}),
  num_fixed: z.int(),
  num_broken: z.int(),
  num_both_wrong: z.int(),
  num_both_right: z.int(),
});
export type Comparison = z.infer<typeof Comparison>;
