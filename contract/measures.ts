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
 * `unparsed_rate`. Accuracy is of direct answers, `_dar` of describe-and-respond.
 */
export const Measures = z.record(z.string(), Measure);
export type Measures = z.infer<typeof Measures>;

/** `items.jsonl` of a scores artifact: what was asked, said and counted. */
export const ScoredItem = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('answer'),
    item_id: z.string(),
    image_id: ImageId,
    mode: z.enum(['direct', 'dar']),
    question: z.string(),
    question_type: z.string(),
    expected: z.string(),
    text: z.string(),
    parsed: z.string().nullable(),
    score: z.number(),
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

/** `scores.json` of a scores artifact. */
export const Scores = z.strictObject({
  set: z.string(),
  benchmark: z.string(),
  measures: Measures,
  num_images: z.int(),
  num_questions: z.int(),
  num_unparsed: z.int(),
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
