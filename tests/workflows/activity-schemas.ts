/** The contract of every activity by name: what a fake may be given and what it may answer. */
import type { z } from 'zod';
import * as contract from '../../contract/activities.ts';
import * as study from '../../contract/study-activities.ts';

export type AllActivities = contract.Activities &
  contract.GpuActivities &
  study.StudyActivities &
  study.StudyGpuActivities;
export type ActivityName = keyof AllActivities;
export type Input<N extends ActivityName> = Parameters<AllActivities[N]>[0];
export type Output<N extends ActivityName> = Awaited<ReturnType<AllActivities[N]>>;

interface Schemas<N extends ActivityName> {
  readonly input: z.ZodType<Input<N>>;
  readonly output: z.ZodType<Output<N>>;
}

export const ACTIVITY_SCHEMAS: { readonly [N in ActivityName]: Schemas<N> } = {
  prepareRun: { input: contract.PrepareRunInput, output: contract.PrepareRunOutput },
  resolveModel: { input: contract.ResolveModelInput, output: contract.ResolveModelOutput },
  ingestImages: { input: contract.IngestImagesInput, output: contract.IngestImagesOutput },
  prepareEvaluationSet: {
    input: contract.PrepareEvaluationSetInput,
    output: contract.PrepareEvaluationSetOutput,
  },
  selectInstructions: {
    input: contract.SelectInstructionsInput,
    output: contract.SelectInstructionsOutput,
  },
  prepareShard: { input: contract.PrepareShardInput, output: contract.PrepareShardOutput },
  collectPreferencePairs: {
    input: contract.CollectInput,
    output: contract.CollectPreferencePairsOutput,
  },
  collectInfusedExamples: {
    input: contract.CollectInfusedExamplesInput,
    output: contract.CollectInfusedExamplesOutput,
  },
  scoreAnswers: { input: contract.ScoreAnswersInput, output: contract.ScoreAnswersOutput },
  judgeAnswers: { input: contract.JudgeAnswersInput, output: contract.JudgeAnswersOutput },
  askPolicyJudge: { input: contract.JudgeAnswersInput, output: contract.AskPolicyJudgeOutput },
  compareScores: { input: contract.CompareScoresInput, output: contract.CompareScoresOutput },
  publishRound: { input: contract.PublishRoundInput, output: contract.PublishRoundOutput },
  writeReport: { input: contract.WriteReportInput, output: contract.WriteReportOutput },
  prepareDescribe: { input: contract.PrepareDescribeInput, output: contract.PrepareDescribeOutput },
  generateShard: { input: contract.GenerateShardInput, output: contract.GenerateShardOutput },
  generateOne: { input: contract.GenerateOneInput, output: contract.GenerateOneOutput },
  generateReplies: { input: contract.GenerateRepliesInput, output: contract.GenerateShardOutput },
  trainPreference: { input: contract.TrainPreferenceInput, output: contract.TrainOutput },
  trainInfused: { input: contract.TrainInfusedInput, output: contract.TrainOutput },
  prepareStudy: { input: study.PrepareStudyInput, output: study.PrepareStudyOutput },
  studyRun: { input: study.StudyRunInput, output: study.StudyRunOutput },
  embedImages: { input: study.EmbedImagesInput, output: study.EmbedImagesOutput },
  compareFeatures: { input: study.CompareFeaturesInput, output: study.CompareFeaturesOutput },
  selectImages: { input: study.SelectImagesInput, output: study.SelectImagesOutput },
  writeStudy: { input: study.WriteStudyInput, output: study.WriteStudyOutput },
};

/** Those a GPU worker registers; the others belong to a CPU worker. */
export const GPU_ACTIVITIES: readonly ActivityName[] = [
  'generateShard',
  'generateReplies',
  'generateOne',
  'trainPreference',
  'trainInfused',
  'embedImages',
];
