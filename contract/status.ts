/** What a run says of itself: the status query, the input of report and CLI, and the result of a round. */
import { z } from 'zod';
import { STAGES } from './api.ts';
import { ArtifactRef } from './artifact.ts';
import { Measures, TableTest } from './measures.ts';

export const Policy = z.strictObject({
  model: ArtifactRef,
  adapter: ArtifactRef.nullable().describe('null = the base model'),
});
export type Policy = z.infer<typeof Policy>;

export const Decision = z.strictObject({
  action: z.enum(['promote', 'keep', 'stop']),
  reason: z.string().describe('one sentence with the figures'),
});
export type Decision = z.infer<typeof Decision>;

/** Which policy a score belongs to. */
export const EvaluatedPolicy = z.enum(['base', 'preference_training', 'infused_training']);
export type EvaluatedPolicy = z.infer<typeof EvaluatedPolicy>;

export const RoundScores = z.strictObject({
  set: z.string(),
  policy: EvaluatedPolicy,
  scores: ArtifactRef,
  headline: Measures.describe(
    'accuracy, accuracy_dar, description_f1, hallucination_rate where measured',
  ),
});
export type RoundScores = z.infer<typeof RoundScores>;

/** Two policies of a round on one set. */
export const PolicyComparison = z.strictObject({
  set: z.string(),
  from: EvaluatedPolicy,
  to: EvaluatedPolicy,
  comparison: ArtifactRef,
});
export type PolicyComparison = z.infer<typeof PolicyComparison>;

/** `round_result.json`; rounds are chained by `previous`, so that a run carries one reference. */
export const RoundResult = z.strictObject({
  schema_version: z.literal(1),
  round: z.int().min(1),
  start_policy: Policy,
  end_policy: Policy.describe('policy the next round starts from'),
  artifacts: z
    .record(z.string(), ArtifactRef)
    .describe('by name: images, preference_pairs, adapter_preference_training, ...'),
  counts: z
    .record(z.string(), z.number())
    .describe('pairs, dropped by reason, quarantined, duplicates, ...'),
  scores: z.array(RoundScores),
  comparisons: z.array(
    PolicyComparison.extend({
      significance: TableTest.nullable()
        .default(null)
        .describe('of decision.measure, over the sets of the same two policies; null = not tested'),
    }),
  ),
  decision: Decision,
  previous: ArtifactRef.nullable(),
});
export type RoundResult = z.infer<typeof RoundResult>;

export const StageStatus = z.strictObject({
  stage: z.enum(STAGES),
  state: z.enum(['waiting', 'running', 'done', 'skipped']),
  done: z.int().nonnegative(),
  total: z.int().nonnegative().describe('shards or steps; 0 = not known yet'),
  detail: z.string(),
  seconds: z
    .number()
    .nonnegative()
    .nullable()
    .describe('wall time by the workflow clock; null until done'),
});
export type StageStatus = z.infer<typeof StageStatus>;

export const RUN_STATES = [
  'starting',
  'running',
  'pausing',
  'paused',
  'stopping',
  'completed',
  'cancelled',
  'failed',
] as const;

/** Answer to the `status` query of a `selfTraining` workflow. */
export const RunStatus = z.strictObject({
  schema_version: z.literal(1),
  run_id: z.string(),
  state: z.enum(RUN_STATES),
  round: z.int().nonnegative().describe('0 before the first round'),
  rounds: z.int().min(1).describe('planned'),
  stages: z.array(StageStatus).describe('of the present round'),
  rounds_done: z.array(
    z.strictObject({
      round: z.int(),
      action: Decision.shape.action,
      measure: z.string(),
      value: z.number().nullable(),
    }),
  ),
  config: ArtifactRef.nullable(),
  last_result: ArtifactRef.nullable().describe('round_result of the last finished round'),
  message: z.string(),
});
export type RunStatus = z.infer<typeof RunStatus>;
