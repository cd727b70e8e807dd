/** Knobs of evaluation and of the decision at the end of a round. */
import { z } from 'zod';
import { SourceRef } from './source.ts';

export const EvaluationSetConfig = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,39}$/, 'expected 1-40 of a-z, 0-9, _ and -'),
  benchmark: z.enum(['scenes', 'exact_match']).describe('which loader, prompts and scorer'),
  questions: SourceRef.describe(
    'JSONL: question_id, image, question, answer, question_type (path in YAML)',
  ),
  truth: SourceRef.nullable()
    .default(null)
    .describe('scenes only: JSONL with the objects of each image'),
  image_root: SourceRef.describe('folder that image names are relative to'),
  question_suffix: z
    .string()
    .max(400)
    .default('')
    .describe('appended to each question on a line of its own'),
  max_images: z.int().positive().nullable().default(null).describe('seeded draw; null = all'),
});
export type EvaluationSetConfig = z.infer<typeof EvaluationSetConfig>;

export const EvaluationConfig = z.strictObject({
  sets: z.array(EvaluationSetConfig).max(8).default([]),
  policies: z
    .array(z.enum(['base', 'preference_training', 'infused_training']))
    .default(['base', 'preference_training', 'infused_training'])
    .describe('base = the policy at the start of the round'),
  describe_and_respond: z
    .enum(['on', 'off', 'both'])
    .default('both')
    .describe('DaR: describe first, then answer'),
  max_new_tokens: z
    .int()
    .min(1)
    .max(8192)
    .default(1024)
    .describe('STIC evaluation scripts; greedy'),
  num_bootstrap: z
    .int()
    .min(100)
    .max(100_000)
    .default(2000)
    .describe('resamples of a 95 % interval, by image'),
});
export type EvaluationConfig = z.infer<typeof EvaluationConfig>;

export const DecisionConfig = z.strictObject({
  set: z
    .string()
    .nullable()
    .default(null)
    .describe('evaluation set that decides; null = the first'),
  measure: z
    .string()
    .default('accuracy_dar')
    .describe('measure whose paired difference, end of the round minus start, decides'),
  stop_without_gain: z
    .boolean()
    .default(false)
    .describe('stop when the interval of the difference does not exclude zero from above'),
});
export type DecisionConfig = z.infer<typeof DecisionConfig>;
