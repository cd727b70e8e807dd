/** All activities of a worker role; errors leave them as Temporal's failures only. */
import type { Activities, GpuActivities } from '../contract/activities.ts';
import type { ActivityDependencies } from './context.ts';
import { describeActivities } from './describe.ts';
import { translateErrors } from './errors.ts';
import { evaluationSetActivities } from './evaluation-set.ts';
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
import { trainingActivities } from './training.ts';

export function createCpuActivities(deps: ActivityDependencies): Activities {
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
  });
}

export function createGpuActivities(deps: ActivityDependencies): GpuActivities {
  return translateErrors({ ...generationActivities(deps), ...trainingActivities(deps) });
}
