/**
 * Inputs and outputs of every activity: one object in, one object out, references instead of data,
 * never more than 8 KB. Activities parse their input with these schemas: whoever may start a
 * workflow is not thereby trusted.
 */
import { z } from 'zod';
import { ArtifactRef } from './artifact.ts';
import { JudgedBenchmark } from './config-judge.ts';
import { AnswerMode, Measure } from './measures.ts';
import { RunPlan } from './run-plan.ts';
import { SourceRef } from './source.ts';
import { EvaluatedPolicy, Policy, PolicyComparison, RoundResult, RunStatus } from './status.ts';

const Round = z.int().min(1).max(1000);
const Counts = z.record(z.string(), z.number());

/** `config` is what a person may send: partial, unchecked. */
export const PrepareRunInput = z.strictObject({ config: z.json() });
export const PrepareRunOutput = z.strictObject({
  run_id: z.string(),
  config: ArtifactRef,
  plan: RunPlan,
});

export const ResolveModelInput = z.strictObject({
  config: ArtifactRef,
  of: z.literal('judge').optional().describe('evaluation.judge.checkpoint; absent = model.source'),
});
export const ResolveModelOutput = z.strictObject({
  model: ArtifactRef,
  architecture: z.string(),
  adapter: ArtifactRef.nullable().describe('of model.adapter; null = the base model'),
});

export const IngestImagesInput = z.strictObject({ config: ArtifactRef });
export const IngestImagesOutput = z.strictObject({ images: ArtifactRef, counts: Counts });

export const PrepareEvaluationSetInput = z.strictObject({ config: ArtifactRef, set: z.string() });
export const PrepareEvaluationSetOutput = z.strictObject({
  evaluation_set: ArtifactRef,
  counts: Counts,
});

export const SelectInstructionsInput = z.strictObject({ config: ArtifactRef, round: Round });
export const SelectInstructionsOutput = z.strictObject({
  instructions: ArtifactRef,
  counts: Counts,
});

/** What a sharded generation is for. `dar_answers` reads the descriptions made by `answers`. */
export const SHARD_TASKS = ['preference', 'descriptions', 'answers', 'dar_answers'] as const;
export type ShardTask = (typeof SHARD_TASKS)[number];

/** Everything that names the shards of one fan-out; with `shard` it names one of them. */
export const ShardSet = z.strictObject({
  task: z.enum(SHARD_TASKS),
  config: ArtifactRef,
  round: Round,
  policy: Policy,
  source: ArtifactRef.describe('images, instructions or evaluation_set'),
  num_items: z.int().nonnegative().describe('images of the source that this fan-out covers'),
  num_shards: z.int().nonnegative(),
});
export type ShardSet = z.infer<typeof ShardSet>;

export const PrepareShardInput = z.strictObject({ shards: ShardSet, shard: z.int().nonnegative() });
export const PrepareShardOutput = z.strictObject({ requests: ArtifactRef });

export const GenerateShardInput = z.strictObject({ shards: ShardSet, requests: ArtifactRef });
export const GenerateShardOutput = z.strictObject({ generations: ArtifactRef });

export const CollectInput = z.strictObject({ shards: ShardSet });
export const CollectPreferencePairsOutput = z.strictObject({
  preference_pairs: ArtifactRef,
  counts: Counts,
});

/** `shards` is null in the control without descriptions. */
export const CollectInfusedExamplesInput = z.strictObject({
  config: ArtifactRef,
  round: Round,
  policy: Policy,
  instructions: ArtifactRef,
  shards: ShardSet.nullable(),
});
export const CollectInfusedExamplesOutput = z.strictObject({
  infused_examples: ArtifactRef,
  counts: Counts,
});

/** `dar_answers` is null when describe-and-respond is off. */
export const ScoreAnswersInput = z.strictObject({
  set: z.string(),
  answers: ShardSet,
  dar_answers: ShardSet.nullable(),
  training_images: z
    .array(ArtifactRef)
    .max(4)
    .default([])
    .describe('that the images of the set are looked for among'),
  judgements: z
    .array(z.strictObject({ mode: AnswerMode, judgements: ArtifactRef }))
    .max(2)
    .optional()
    .describe('of the answers of an earlier call; absent = nothing is judged yet'),
});
export const ScoreAnswersOutput = z.strictObject({
  scores: ArtifactRef.describe('holds the answers files'),
  to_judge: z
    .array(
      z.strictObject({ mode: AnswerMode, benchmark: JudgedBenchmark, answers_file: z.string() }),
    )
    .max(2)
    .optional()
    .describe('answers files that the config has a judge for; judged, they are scored once more'),
});

export const JudgeAnswersInput = z.strictObject({
  config: ArtifactRef.describe('its evaluation.judge says who judges'),
  benchmark: JudgedBenchmark,
  data: ArtifactRef.describe("the questions: `scoring/` holds what the benchmark's scorer reads"),
  answers: ArtifactRef.describe('of one model to those questions'),
  answers_file: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/)
    .describe("name in `answers`, in the form that the benchmark's scorer reads"),
  policy: z
    .strictObject({ model: ArtifactRef, replies: z.array(ArtifactRef).max(100) })
    .optional()
    .describe('where a checkpoint judges: which, and what it has said'),
});
/** Requests for replies that a checkpoint still has to give; null = it has given all. */
export const AskPolicyJudgeOutput = z.strictObject({ requests: ArtifactRef.nullable() });
export const JudgeAnswersOutput = z.strictObject({
  judgements: ArtifactRef,
  counts: Counts.describe('items, judged, missing, cached, by_rules'),
  judge: z.string().max(400).describe('label: results of different labels are never compared'),
  stopped: z.string().nullable().describe('why judging ended early: the spending cap'),
});

export const CompareScoresInput = z.strictObject({
  config: ArtifactRef,
  from: ArtifactRef,
  to: ArtifactRef,
  measure: z.string(),
});
/** `delta` is null when either side lacks the measure. */
export const CompareScoresOutput = z.strictObject({
  comparison: ArtifactRef,
  delta: Measure.nullable(),
  value: z.number().nullable().describe('of `to`'),
});

export const TrainPreferenceInput = z.strictObject({
  config: ArtifactRef,
  round: Round,
  policy: Policy,
  preference_pairs: ArtifactRef,
  infused_examples: ArtifactRef.optional().describe('learnt in the same training'),
});
export const TrainInfusedInput = z.strictObject({
  config: ArtifactRef,
  round: Round,
  policy: Policy,
  infused_examples: ArtifactRef,
});
export const TrainOutput = z.strictObject({ adapter: ArtifactRef, summary: Counts });

/** The workflow knows references; the activity reads the headline figures and the tests. */
export const PublishRoundInput = z.strictObject({
  config: ArtifactRef,
  result: RoundResult.extend({
    scores: z.array(
      z.strictObject({ set: z.string(), policy: EvaluatedPolicy, scores: ArtifactRef }),
    ),
    comparisons: z.array(PolicyComparison),
  }),
});
export const PublishRoundOutput = z.strictObject({ round_result: ArtifactRef });

export const WriteReportInput = z.strictObject({ status: RunStatus });
export const WriteReportOutput = z.strictObject({
  report: z.string().describe('name below the folder of the run'),
});

/** One image, one question: what `sticflow describe` runs. */
export const PrepareDescribeInput = z.strictObject({
  config: ArtifactRef,
  policy: Policy,
  image: SourceRef,
  question: z.string().max(4000).nullable(),
  description: z.string().max(8000).nullable().describe('put in front of the question'),
});
export const PrepareDescribeOutput = z.strictObject({ requests: ArtifactRef });
export const GenerateOneInput = z.strictObject({
  config: ArtifactRef,
  policy: Policy,
  requests: ArtifactRef,
});
export const GenerateOneOutput = z.strictObject({
  text: z.string().max(8000),
  generations: ArtifactRef,
});

export const GenerateRepliesInput = z.strictObject({
  config: ArtifactRef.describe('its evaluation.judge is a checkpoint'),
  model: ArtifactRef.describe('that checkpoint'),
  requests: ArtifactRef,
});

/** Details of an activity's heartbeat: a hint for people, never the truth. */
export const HeartbeatDetails = z.strictObject({
  phase: z.string(),
  done: z.number(),
  total: z.number(),
  unit: z.enum(['items', 'steps', 'bytes']),
  checkpoint_step: z.int().nullable(),
  loss: z.number().nullable(),
});
export type HeartbeatDetails = z.infer<typeof HeartbeatDetails>;

/** The activities by name, as the workflows see them. */
export interface Activities {
  prepareRun(input: z.infer<typeof PrepareRunInput>): Promise<z.infer<typeof PrepareRunOutput>>;
  resolveModel(
    input: z.infer<typeof ResolveModelInput>,
  ): Promise<z.infer<typeof ResolveModelOutput>>;
  ingestImages(
    input: z.infer<typeof IngestImagesInput>,
  ): Promise<z.infer<typeof IngestImagesOutput>>;
  prepareEvaluationSet(
    input: z.infer<typeof PrepareEvaluationSetInput>,
  ): Promise<z.infer<typeof PrepareEvaluationSetOutput>>;
  selectInstructions(
    input: z.infer<typeof SelectInstructionsInput>,
  ): Promise<z.infer<typeof SelectInstructionsOutput>>;
  prepareShard(
    input: z.infer<typeof PrepareShardInput>,
  ): Promise<z.infer<typeof PrepareShardOutput>>;
  collectPreferencePairs(
    input: z.infer<typeof CollectInput>,
  ): Promise<z.infer<typeof CollectPreferencePairsOutput>>;
  collectInfusedExamples(
    input: z.infer<typeof CollectInfusedExamplesInput>,
  ): Promise<z.infer<typeof CollectInfusedExamplesOutput>>;
  scoreAnswers(
    input: z.infer<typeof ScoreAnswersInput>,
  ): Promise<z.infer<typeof ScoreAnswersOutput>>;
  judgeAnswers(
    input: z.infer<typeof JudgeAnswersInput>,
  ): Promise<z.infer<typeof JudgeAnswersOutput>>;
  askPolicyJudge(
    input: z.infer<typeof JudgeAnswersInput>,
  ): Promise<z.infer<typeof AskPolicyJudgeOutput>>;
  compareScores(
    input: z.infer<typeof CompareScoresInput>,
  ): Promise<z.infer<typeof CompareScoresOutput>>;
  publishRound(
    input: z.infer<typeof PublishRoundInput>,
  ): Promise<z.infer<typeof PublishRoundOutput>>;
  writeReport(input: z.infer<typeof WriteReportInput>): Promise<z.infer<typeof WriteReportOutput>>;
  prepareDescribe(
    input: z.infer<typeof PrepareDescribeInput>,
  ): Promise<z.infer<typeof PrepareDescribeOutput>>;
}

/** The activities that need the model; one at a time on a GPU worker. */
export interface GpuActivities {
  generateShard(
    input: z.infer<typeof GenerateShardInput>,
  ): Promise<z.infer<typeof GenerateShardOutput>>;
  trainPreference(
    input: z.infer<typeof TrainPreferenceInput>,
  ): Promise<z.infer<typeof TrainOutput>>;
  trainInfused(input: z.infer<typeof TrainInfusedInput>): Promise<z.infer<typeof TrainOutput>>;
  generateOne(input: z.infer<typeof GenerateOneInput>): Promise<z.infer<typeof GenerateOneOutput>>;
  generateReplies(
    input: z.infer<typeof GenerateRepliesInput>,
  ): Promise<z.infer<typeof GenerateShardOutput>>;
}
