/** `prepareStudy` and `studyRun`: from a study's request to the config of each of its runs. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactRef } from '../contract/artifact.ts';
import {
  MAX_STUDY_RUNS,
  type PlannedRun,
  type StudyArm,
  StudyPlan,
  StudyRequest,
} from '../contract/study.ts';
import {
  PrepareStudyInput,
  type PrepareStudyOutput,
  type StudyActivities,
  StudyRunInput,
} from '../contract/study-activities.ts';
import { canonicalJson, sha256Hex } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import { parseJson } from '../store/lines.ts';
import { runIdOf, studyIdOf } from '../store/run-id.ts';
import { resolveSource } from '../store/sources.ts';
import type { Store } from '../store/store.ts';
import { plannedRuns } from '../studies/expand.ts';
import type { ActivityDependencies } from './context.ts';

const STAGE_VERSION = 1;

export function studyActivities({
  store,
  workspace,
}: ActivityDependencies): Pick<StudyActivities, 'prepareStudy' | 'studyRun'> {
  return {
    async prepareStudy(input) {
      const path = await resolveSource(workspace, PrepareStudyInput.parse(input).request);
      const request = parseJson(await readFile(path, 'utf8'), StudyRequest, path);
      const runs = plannedRuns(request);
      refuseImpossible(request, runs);
      const document: StudyPlan = { study_id: studyIdOf(request), request, runs };
      const content = canonicalJson(document);
      const plan = await store.build(
        {
          kind: 'study_plan',
          inputs: [],
          parameters: { content: sha256Hex(content) },
          version: STAGE_VERSION,
        },
        async (directory) => {
          await writeFile(join(directory, 'plan.json'), `${content}\n`);
          return runs.length;
        },
      );
      return { ...outlineOf(document), plan };
    },

    async studyRun(input) {
      const { plan: ref, run: index, images } = StudyRunInput.parse(input);
      const { plan, run, arm } = await readRun(store, ref, index);
      if (run.config === null) {
        throw new SticflowError('ConfigInvalid', run.unavailable ?? 'The run has no config.');
      }
      const { config } = run;
      const selected =
        images === null
          ? config
          : { ...config, images: { ...config.images, source: images, max_images: null } };
      const target_set = arm.nearest_images?.evaluation_set ?? null;
      if (target_set !== null && countOf(plan, arm) === null) throw noCount(plan, arm);
      return { run_id: runIdOf(selected), config: selected, target_set };
    },
  };
}

/** The plan of a study. */
export async function readPlan(store: Store, ref: ArtifactRef): Promise<StudyPlan> {
  return await store.readJson(ref, 'plan.json', StudyPlan);
}

interface RunOfPlan {
  readonly plan: StudyPlan;
  readonly run: PlannedRun;
  readonly arm: StudyArm;
}

/** One run of a plan with its arm. */
export async function readRun(store: Store, ref: ArtifactRef, index: number): Promise<RunOfPlan> {
  const plan = await readPlan(store, ref);
  const run = plan.runs[index];
  const arm = plan.request.description.arms.find(({ name }) => name === run?.arm);
  if (run === undefined || arm === undefined) {
    throw new SticflowError(
      'DataInvalid',
      `Expected a run of the study ${plan.study_id} (0 to ${plan.runs.length - 1}), got ${index}.`,
    );
  }
  return { plan, run, arm };
}

/** How many images an arm selects at the size of the study; null when its file does not say. */
export function countOf({ request }: StudyPlan, arm: StudyArm): number | null {
  return arm.nearest_images?.count[request.size] ?? null;
}

function outlineOf({ study_id, request, runs }: StudyPlan): Omit<PrepareStudyOutput, 'plan'> {
  const { description } = request;
  const selects = new Set(
    description.arms
      .filter(({ nearest_images }) => nearest_images !== null)
      .map(({ name }) => name),
  );
  const { features } = description;
  const of_features = runs.findIndex(
    ({ arm, config }) => arm === features?.gain.arm && config !== null,
  );
  return {
    study_id,
    title: description.title,
    runs: runs.map(({ arm, seed, after, config }) => ({
      arm,
      seed,
      after,
      available: config !== null,
      selects_images: selects.has(arm),
    })),
    features_run: features === null || of_features === -1 ? null : of_features,
    feature_sets: features?.evaluation_sets ?? [],
    max_feature_images: features?.max_images ?? 1,
  };
}

function refuseImpossible({ description, base, seeds }: StudyRequest, runs: PlannedRun[]): void {
  if (runs.length > MAX_STUDY_RUNS) {
    throw new SticflowError(
      'ConfigInvalid',
      `Expected at most ${MAX_STUDY_RUNS} runs in a study, got ${description.arms.length} arms times ${seeds.length} seeds. Take fewer seeds.`,
    );
  }
  if (base.evaluation.sets.length > 0) return;
  throw new SticflowError(
    'ConfigInvalid',
    `Expected the base of the study ${description.name} to have an evaluation set, it has none: nothing would be measured. Copy the preset, name your questions under evaluation.sets and give that file with --base.`,
  );
}

function noCount({ request }: StudyPlan, arm: StudyArm): SticflowError {
  return new SticflowError(
    'ConfigInvalid',
    `Expected arms.${arm.name}.nearest_images.count to name a number of images for the size ${request.size}, it has none.`,
  );
}
