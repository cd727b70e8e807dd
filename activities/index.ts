/** All activities of a worker role; errors leave them as Temporal's failures only. */
import type { Activities, GpuActivities } from '../contract/activities.ts';
import type { StudyActivities, StudyGpuActivities } from '../contract/study-activities.ts';
import type { ActivityDependencies } from './context.ts';
import { describeActivities } from './describe.ts';
import { translateErrors } from './errors.ts';
import { evaluationSetActivities } from './evaluation-set.ts';
import { embeddingActivities, featuresActivities } from './features.ts';
import { generationActivities } from './generation.ts';
import { imagesActivities } from './images.ts';
import { infusionActivities } from './infusion.ts';
import { instructionsActivities } from './instructions.ts';
import { judgeActivities } from './judge.ts';
import { modelActivities } from './model.ts';
import { preferenceActivities } from './preference.ts';
import { prepareRunActivities } from './prepare-run.ts';
import { reportActivities } from './report.ts';
import { roundsActivities } from './rounds.ts';
import { scoringActivities } from './scoring.ts';
import { shardsActivities } from './shards.ts';
import { studyActivities } from './study.ts';
import { studyResultActivities } from './study-result.ts';
import { trainingActivities } from './training.ts';

export function createCpuActivities(deps: ActivityDependencies): Activities & StudyActivities {
  return translateErrors({
    ...prepareRunActivities(deps),
    ...modelActivities(deps),
    ...imagesActivities(deps),
    ...evaluationSetActivities(deps),
    ...instructionsActivities(deps),
    ...shardsActivities(deps),
    ...preferenceActivities(deps),
    ...infusionActivities(deps),
    ...scoringActivities(deps),
    ...judgeActivities(deps),
    ...roundsActivities(deps),
    ...reportActivities(deps),
    ...describeActivities(deps),
    ...studyActivities(deps),
    ...studyResultActivities(deps),
    ...featuresActivities(deps),
  });
}

export function createGpuActivities(
  deps: ActivityDependencies,
): GpuActivities & StudyGpuActivities {
  return translateErrors({
    ...generationActivities(deps),
    ...trainingActivities(deps),
    ...embeddingActivities(deps),
  });
}
