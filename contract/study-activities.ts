/** Inputs and outputs of the activities of studies; the rules of contract/activities.ts hold here too. */
import { z } from 'zod';
import { ArtifactRef } from './artifact.ts';
import { ExperimentConfig } from './config.ts';
import { SourceRef } from './source.ts';
import { Policy } from './status.ts';
import { MAX_STUDY_RUNS, StudyRunOutcome } from './study.ts';

const RunIndex = z
  .int()
  .min(0)
  .max(MAX_STUDY_RUNS - 1);

/** `request` is a file with a StudyRequest, written by the command line. */
export const PrepareStudyInput = z.strictObject({ request: SourceRef });
export const PrepareStudyOutput = z.strictObject({
  study_id: z.string(),
  plan: ArtifactRef,
  title: z.string().max(600),
  runs: z.array(
    z.strictObject({
      arm: z.string(),
      seed: z.int(),
      after: RunIndex.nullable(),
      available: z.boolean(),
      selects_images: z.boolean(),
    }),
  ),
  features_run: RunIndex.nullable().describe('run whose config says which images are embedded'),
  feature_sets: z.array(z.string()),
  max_feature_images: z.int().positive(),
});
export type PrepareStudyOutput = z.infer<typeof PrepareStudyOutput>;

/** `images` replaces the images of the config, for an arm that selects its own. */
export const StudyRunInput = z.strictObject({
  plan: ArtifactRef,
  run: RunIndex,
  images: SourceRef.nullable(),
});
export const StudyRunOutput = z.strictObject({
  run_id: z.string(),
  config: ExperimentConfig,
  target_set: z.string().nullable().describe('evaluation set that images are selected for'),
});

/** Features of the images of an `images` or `evaluation_set` artifact, by the base's vision tower. */
export const EmbedImagesInput = z.strictObject({
  config: ArtifactRef,
  policy: Policy,
  source: ArtifactRef,
  max_images: z.int().positive().nullable(),
});
export const EmbedImagesOutput = z.strictObject({ features: ArtifactRef });

const NamedFeatures = z.strictObject({ name: z.string(), features: ArtifactRef });

/** Each set against the reference; `project` adds a map of all images. */
export const CompareFeaturesInput = z.strictObject({
  config: ArtifactRef,
  reference: NamedFeatures,
  sets: z.array(NamedFeatures).min(1).max(8),
  project: z.boolean(),
});
export const CompareFeaturesOutput = z.strictObject({ feature_comparison: ArtifactRef });

/** `comparison`: the unlabelled images against the target distribution. */
export const SelectImagesInput = z.strictObject({
  plan: ArtifactRef,
  run: RunIndex,
  images: ArtifactRef,
  feature_comparison: ArtifactRef,
});
export const SelectImagesOutput = z.strictObject({ images: SourceRef });

export const WriteStudyInput = z.strictObject({
  plan: ArtifactRef,
  outcomes: z.array(StudyRunOutcome).max(MAX_STUDY_RUNS),
  feature_comparison: ArtifactRef.nullable(),
});
export const WriteStudyOutput = z.strictObject({
  study: ArtifactRef,
  page: z.string().describe('name below the folder of the study'),
});

/** The activities of studies by name, as the workflow sees them. */
export interface StudyActivities {
  prepareStudy(
    input: z.infer<typeof PrepareStudyInput>,
  ): Promise<z.infer<typeof PrepareStudyOutput>>;
  studyRun(input: z.infer<typeof StudyRunInput>): Promise<z.infer<typeof StudyRunOutput>>;
  compareFeatures(
    input: z.infer<typeof CompareFeaturesInput>,
  ): Promise<z.infer<typeof CompareFeaturesOutput>>;
  selectImages(
    input: z.infer<typeof SelectImagesInput>,
  ): Promise<z.infer<typeof SelectImagesOutput>>;
  writeStudy(input: z.infer<typeof WriteStudyInput>): Promise<z.infer<typeof WriteStudyOutput>>;
}

/** Those that need the model. */
export interface StudyGpuActivities {
  embedImages(input: z.infer<typeof EmbedImagesInput>): Promise<z.infer<typeof EmbedImagesOutput>>;
}
