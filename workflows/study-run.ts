/** One run of a study: its config, the images it selects for itself, and the run as a child. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  type ChildWorkflowHandle,
  sleep,
  startChild,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { WORKFLOWS, workflowId } from '../contract/api.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { SourceRef } from '../contract/source.ts';
import type { RunStatus } from '../contract/status.ts';
import type { SelfTrainingInput } from '../contract/workflows.ts';
import { bookkeeping, data, embedding, studying } from './proxies.ts';
import { searchAttributeKeys } from './search-attributes.ts';

type SelfTraining = (input: SelfTrainingInput) => Promise<RunStatus>;

/** Somebody else's run of the same config is waited for this long, a minute at a time. */
const MAX_WAITS = 600;

interface StudyRun {
  readonly plan: ArtifactRef;
  readonly run: number;
  readonly label: string;
  readonly selects_images: boolean;
}

/** Runs it to its end; what other runs have made already is found by its keys. */
export async function runOfStudy(
  { plan, run, label, selects_images }: StudyRun,
  onStart: (runId: string) => void,
): Promise<RunStatus> {
  const images = selects_images ? await selectImages(plan, run, label) : null;
  const { run_id, config } = await studying.studyRun.executeWithOptions({ summary: label }, [
    { plan, run, images },
  ]);
  onStart(run_id);
  const child = await startWhenFree(run_id, config, label);
  return await child.result();
}

/** Embeds unlabelled images and the target's, and keeps those that are nearest. */
async function selectImages(plan: ArtifactRef, run: number, label: string): Promise<SourceRef> {
  const { config: raw, target_set } = await studying.studyRun.executeWithOptions(
    { summary: label },
    [{ plan, run, images: null }],
  );
  if (target_set === null) throw new Error('an arm that selects images has a target');
  const features = await imageFeatures({ raw, sets: [target_set], max_images: null, label });
  const [target] = features.sets;
  if (target === undefined) throw new Error('the features of the target were asked for');
  const summary = `${label} · select images`;
  const { feature_comparison } = await studying.compareFeatures.executeWithOptions({ summary }, [
    {
      config: features.config,
      reference: target,
      sets: [{ name: 'unlabelled', features: features.unlabelled }],
      project: false,
    },
  ]);
  const { images } = await studying.selectImages.executeWithOptions({ summary }, [
    { plan, run, images: features.images, feature_comparison },
  ]);
  return images;
}

interface ImagesToEmbed {
  /** A config, as `selfTraining` takes it. */
  readonly raw: unknown;
  readonly sets: readonly string[];
  readonly max_images: number | null;
  readonly label: string;
}

/** Features of the unlabelled images of a config and of its evaluation sets, by the base model. */
export async function imageFeatures({ raw, sets, max_images, label }: ImagesToEmbed) {
  const summary = `${label} · features`;
  const { config } = await bookkeeping.prepareRun.executeWithOptions({ summary }, [
    // It came out of a JSON payload, whatever it is.
    { config: raw as Parameters<typeof bookkeeping.prepareRun>[0]['config'] },
  ]);
  const { model } = await data.resolveModel.executeWithOptions({ summary }, [{ config }]);
  const policy = { model, adapter: null };
  const { images } = await data.ingestImages.executeWithOptions({ summary }, [{ config }]);
  const embed = async (source: ArtifactRef): Promise<ArtifactRef> => {
    const { features } = await embedding.embedImages.executeWithOptions({ summary }, [
      { config, policy, source, max_images },
    ]);
    return features;
  };
  const unlabelled = await embed(images);
  const embedded: { name: string; features: ArtifactRef }[] = [];
  for (const name of sets) {
    const { evaluation_set } = await data.prepareEvaluationSet.executeWithOptions({ summary }, [
      { config, set: name },
    ]);
    embedded.push({ name, features: await embed(evaluation_set) });
  }
  return { config, images, unlabelled, sets: embedded };
}

/** Starts a run under the id that `sticflow run` gives it, once nobody else has it in hand. */
async function startWhenFree(
  runId: string,
  config: unknown,
  label: string,
): Promise<ChildWorkflowHandle<SelfTraining>> {
  for (let waits = 0; ; waits += 1) {
    try {
      return await startChild<SelfTraining>(WORKFLOWS.selfTraining, {
        workflowId: workflowId(runId),
        args: [{ config }],
        // A completed run is run again: everything is found, nothing is made.
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        staticSummary: label,
        typedSearchAttributes: [{ key: searchAttributeKeys.run, value: runId }],
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError) || waits === MAX_WAITS)
        throw error;
      // The first look is soon: a run of a terminated study ends a moment after it.
      const pause = waits < 10 ? '1s' : '60s';
      await sleep(pause, { summary: `${runId} is under way elsewhere` });
    }
  }
}
