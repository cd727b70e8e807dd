/** What a workflow knows of the config of its run. */
import { z } from 'zod';
import { EvaluatedPolicy } from './status.ts';

/** The few knobs that steer control flow; everything else is read from the config artifact. */
export const RunPlan = z.strictObject({
  rounds: z.int().min(1),
  model_label: z.string().max(120).describe('for search attributes and titles'),
  training_stages: z.array(z.enum(['preference_training', 'infused_training'])),
  infusion: z.boolean(),
  describes_instructions: z.boolean().describe('false in the control without descriptions'),
  images_per_round: z.int().positive().nullable(),
  pairs_from: z
    .enum(['instructions'])
    .optional()
    .describe('what the pairs are about; absent = images'),
  single_stage: z
    .literal(true)
    .optional()
    .describe('pairs and infused examples are learnt in one training'),
  judge_model: z
    .literal(true)
    .optional()
    .describe('answers are judged by a checkpoint, on the gpu queue'),
  shard_size: z.int().min(1),
  max_parallel_shards: z.int().min(1),
  evaluation_sets: z.array(z.string()),
  evaluated_policies: z.array(EvaluatedPolicy),
  answers_direct: z.boolean(),
  answers_dar: z.boolean(),
  decision_set: z.string().nullable(),
  decision_measure: z.string(),
  stop_without_gain: z.boolean(),
});
export type RunPlan = z.infer<typeof RunPlan>;
