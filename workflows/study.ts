/**
 * Workflow `study`: every arm of a study with every seed as a run of its own, some at a time, and a
 * page over all of them. An arm that fails is part of the result; it does not end the study.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  setHandler,
  TemporalFailure,
} from '@temporalio/workflow';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { StudyRunOutcome, StudyStatus } from '../contract/study.ts';
import type { PrepareStudyOutput } from '../contract/study-activities.ts';
import type { StudyInput } from '../contract/workflows.ts';
import { slidingWindow } from './concurrency.ts';
import { runFailure } from './failure.ts';
import { requireFields } from './input.ts';
import { studyStatusQuery } from './messages.ts';
import { studying } from './proxies.ts';
import { imageFeatures, runOfStudy } from './study-run.ts';
import { StudyState } from './study-state.ts';

/** While one run trains, another is read, corrupted and scored; more would only wait for the GPU. */
const RUNS_AT_ONCE = 2;

/** Returns the last status; the figures are in the artifact that it names. */
export async function study(input: StudyInput): Promise<StudyStatus> {
  requireFields(input, { workflow: 'study', required: ['request'] });
  const state = new StudyState();
  setHandler(studyStatusQuery, () => state.status());
  try {
    const prepared = await studying.prepareStudy.executeWithOptions({ summary: 'plan' }, [
      { request: input.request },
    ]);
    state.start(prepared);
    await runAll(prepared, state);
    const feature_comparison = await compareFeatures(prepared, state);
    state.say('writing the page');
    const { study: result } = await studying.writeStudy.executeWithOptions({ summary: 'page' }, [
      { plan: prepared.plan, outcomes: state.outcomes(), feature_comparison },
    ]);
    state.end('completed', 'finished', result.key);
    await condition(allHandlersFinished);
    return state.status();
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    const cancelled = isCancellation(error) && CancellationScope.current().consideredCancelled;
    const failure = cancelled ? error : runFailure(error);
    state.end(cancelled ? 'cancelled' : 'failed', failure.message, null);
    throw failure;
  }
}

/** Starts runs in the order of the plan; each waits for the one whose artifacts it reads. */
async function runAll({ plan, runs }: PrepareStudyOutput, state: StudyState): Promise<void> {
  const ended = new Set<number>();
  await slidingWindow({ first: 0, end: runs.length, width: RUNS_AT_ONCE }, async (run) => {
    const planned = runs[run];
    if (planned === undefined) throw new RangeError(`the plan has no run ${String(run)}`);
    const { arm, seed, after, available, selects_images } = planned;
    if (after !== null) await condition(() => ended.has(after));
    const label = `${arm} · seed ${String(seed)}`;
    const outcome: StudyRunOutcome = available
      ? await outcomeOf({ plan, run, label, selects_images }, state)
      : { state: 'not_available', run_id: null, last_result: null, message: '' };
    ended.add(run);
    state.ended(run, outcome);
  });
}

/** @throws only the cancellation of the study, and defects of this code */
async function outcomeOf(
  run: Parameters<typeof runOfStudy>[0],
  state: StudyState,
): Promise<StudyRunOutcome> {
  let runId: string | null = null;
  try {
    state.began(run.run, null);
    const { last_result } = await runOfStudy(run, (id) => {
      runId = id;
      state.began(run.run, id);
    });
    return {
      state: 'completed',
      run_id: runId,
      last_result: last_result?.key ?? null,
      message: '',
    };
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    if (CancellationScope.current().consideredCancelled) throw error;
    const { message } = runFailure(error);
    return { state: 'failed', run_id: runId, last_result: null, message: message.slice(0, 300) };
  }
}

async function compareFeatures(
  { plan, features_run, feature_sets, max_feature_images }: PrepareStudyOutput,
  state: StudyState,
): Promise<ArtifactRef | null> {
  if (features_run === null) return null;
  state.say('comparing image features');
  const label = 'features';
  const { config: raw } = await studying.studyRun.executeWithOptions({ summary: label }, [
    { plan, run: features_run, images: null },
  ]);
  const { config, unlabelled, sets } = await imageFeatures({
    raw,
    sets: feature_sets,
    max_images: max_feature_images,
    label,
  });
  const { feature_comparison } = await studying.compareFeatures.executeWithOptions(
    { summary: label },
    [{ config, reference: { name: 'unlabelled', features: unlabelled }, sets, project: true }],
  );
  return feature_comparison;
}
