/** `trainPreference` and `trainInfused`: an adapter from pairs or examples, by the model process. */
import { join } from 'node:path';
import {
  type GpuActivities,
  TrainInfusedInput,
  TrainPreferenceInput,
} from '../contract/activities.ts';
import { PROTOCOL_VERSION } from '../contract/api.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import type { OptimizationSpec } from '../contract/model-process.ts';
import { RunConfig } from '../contract/run-config.ts';
import type { Policy } from '../contract/status.ts';
import type { JsonObject } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import { seedFor } from '../store/random.ts';
import type { BuildSpec } from '../store/store.ts';
import type { ActivityDependencies } from './context.ts';
import {
  finishedOrMade,
  modelParameters,
  policyInputs,
  policySpec,
  type Work,
} from './gpu-work.ts';

const STAGE_VERSION = 1;

type Stage = 'preference_training' | 'infused_training';

export function trainingActivities(
  deps: ActivityDependencies,
): Pick<GpuActivities, 'trainPreference' | 'trainInfused'> {
  return {
    async trainPreference(input) {
      const { config: ref, round, policy, preference_pairs } = TrainPreferenceInput.parse(input);
      const { config } = await deps.store.readJson(ref, 'config.json', RunConfig);
      const stage = config.preference_training;
      const spec = specOf(config, 'preference_training', { round, policy, data: preference_pairs });
      const adapter = await finishedOrMade(deps, spec, async (work) => ({
        ...(await common(deps, config, policy, work)),
        command: 'train_preference',
        pairs_path: join(deps.store.directory(preference_pairs), 'pairs.jsonl'),
        image_roots: await imageRoots(deps, preference_pairs, 'images'),
        lora: stage.lora,
        loss: {
          beta: stage.beta,
          chosen_nll_weight: stage.chosen_nll_weight,
          nll_reduction: stage.nll_reduction,
        },
        optimization: optimization(stage, config.seed, round, 'preference_training'),
      }));
      return { adapter, summary: { num_examples: adapter.num_records } };
    },

    async trainInfused(input) {
      const { config: ref, round, policy, infused_examples } = TrainInfusedInput.parse(input);
      const { config } = await deps.store.readJson(ref, 'config.json', RunConfig);
      const stage = config.infused_training;
      const spec = specOf(config, 'infused_training', { round, policy, data: infused_examples });
      const adapter = await finishedOrMade(deps, spec, async (work) => ({
        ...(await common(deps, config, policy, work)),
        command: 'train_infused',
        examples_path: join(deps.store.directory(infused_examples), 'examples.jsonl'),
        image_roots: await imageRoots(deps, infused_examples, 'instructions'),
        lora: stage.lora,
        optimization: optimization(stage, config.seed, round, 'infused_training'),
      }));
      return { adapter, summary: { num_examples: adapter.num_records } };
    },
  };
}

interface Subject {
  readonly round: number;
  readonly policy: Policy;
  readonly data: ArtifactRef;
}

function specOf(config: ExperimentConfig, stage: Stage, subject: Subject): BuildSpec {
  const { save_steps: _doesNotChangeBytes, ...knobs } = config[stage];
  return {
    kind: 'adapter',
    inputs: [subject.data, ...policyInputs(subject.policy)],
    parameters: {
      stage,
      ...modelParameters(config.model),
      seed: seedFor(config.seed, subject.round, stage),
      // Numbers, texts and nulls only: a JSON object by its schema.
      knobs: knobs as unknown as JsonObject,
    },
    version: STAGE_VERSION,
  };
}

async function common(
  deps: ActivityDependencies,
  config: ExperimentConfig,
  policy: Policy,
  { workDir, attempt }: Work,
): Promise<
  {
    protocol_version: typeof PROTOCOL_VERSION;
    request_id: string;
    work_dir: string;
    attempt: number;
    lock_timeout_seconds: number;
  } & Awaited<ReturnType<typeof policySpec>>
> {
  return {
    protocol_version: PROTOCOL_VERSION,
    request_id: workDir.split('/').at(-1) ?? workDir,
    work_dir: workDir,
    attempt,
    lock_timeout_seconds: 20,
    ...(await policySpec(deps, config.model, policy)),
  };
}

/** The images lie in the artifact that the data was made from: its manifest says which. */
async function imageRoots(
  { store }: ActivityDependencies,
  data: ArtifactRef,
  kind: 'images' | 'instructions',
): Promise<{ images: string; corrupted: null }> {
  const { inputs } = await store.verify(data);
  const source = inputs.find((input) => input.kind === kind);
  if (source === undefined) {
    throw new SticflowError(
      'ArtifactDamaged',
      `Expected the manifest of ${data.kind}/${data.key} to name its ${kind}, it does not.`,
    );
  }
  return { images: store.directory(source), corrupted: null };
}

function optimization(
  knobs: Omit<OptimizationSpec, 'seed'>,
  runSeed: number,
  round: number,
  stage: Stage,
): OptimizationSpec {
  return {
    learning_rate: knobs.learning_rate,
    num_epochs: knobs.num_epochs,
    global_batch_size: knobs.global_batch_size,
    micro_batch_size: knobs.micro_batch_size,
    weight_decay: knobs.weight_decay,
    warmup_ratio: knobs.warmup_ratio,
    lr_scheduler: knobs.lr_scheduler,
    max_grad_norm: knobs.max_grad_norm,
    max_length: knobs.max_length,
    gradient_checkpointing: knobs.gradient_checkpointing,
    save_steps: knobs.save_steps,
    seed: seedFor(runSeed, round, stage),
  };
}
