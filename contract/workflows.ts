/** Inputs of the workflows, for callers in any language; the state a run carries over round borders. */
import { z } from 'zod';
import type { ShardSet } from './activities.ts';
import { ArtifactRef } from './artifact.ts';
import { RunPlan } from './run-plan.ts';
import type { SourceRef } from './source.ts';
import { type Decision, Policy, RunStatus } from './status.ts';

/** Carried by continue-as-new; bounded at any number of rounds. */
export const RunState = z.strictObject({
  schema_version: z.literal(1),
  plan: RunPlan,
  model: ArtifactRef,
  images: ArtifactRef,
  policy: Policy,
  next_round: z.int().min(1),
  stop_requested: z.boolean(),
  status: RunStatus,
});
export type RunState = z.infer<typeof RunState>;

/** Input of `selfTraining`. `state` is set by the workflow itself when it continues as new. */
export interface SelfTrainingInput {
  readonly config: unknown;
  readonly state?: RunState | undefined;
}

/** Input of `evaluation`: a config without training_stages. */
export interface EvaluationInput {
  readonly config: unknown;
}

export interface RoundInput {
  readonly round: number;
  readonly run_id: string;
  readonly config: ArtifactRef;
  readonly plan: RunPlan;
  readonly model: ArtifactRef;
  /** null where nothing is trained. */
  readonly images: ArtifactRef | null;
  readonly policy: Policy;
  readonly previous: ArtifactRef | null;
}

/** What a run carries on from a round; the rest stands in the artifact. */
export interface RoundOutput {
  readonly round_result: ArtifactRef;
  /** Policy the next round starts from. */
  readonly end_policy: Policy;
  readonly decision: Decision;
  /** Of the deciding measure, for the policy trained in the round; null = not measured. */
  readonly value: number | null;
}

export interface ShardsInput {
  readonly shards: ShardSet;
  readonly width: number;
  readonly label: string;
  /** First shard of this execution; set by the workflow itself when it continues as new. */
  readonly first_shard: number;
}

export interface DescribeInput {
  readonly config: ArtifactRef;
  readonly policy: Policy;
  readonly image: SourceRef;
  readonly question: string | null;
  readonly describe_and_respond: boolean;
}

export interface DescribeOutput {
  readonly description: string | null;
  readonly answer: string | null;
}

/** Input of `study`: a file with a StudyRequest, registered by the command line. */
export interface StudyInput {
  readonly request: SourceRef;
}
