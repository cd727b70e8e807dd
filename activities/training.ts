/** `trainPreference` and `trainInfused`: an adapter from pairs or examples, by the model process. */
import { join } from 'node:path';
import { z } from 'zod';
import {
  type GpuActivities,
  TrainInfusedInput,
  TrainPreferenceInput,
} from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import type { LoraSettings } from '../contract/config-training.ts';
import type { ModelProcessRequest, TrainPreferenceRequest } from '../contract/model-process.ts';
import type { OptimizationSpec } from '../contract/model-process-training.ts';
import type { Policy } from '../contract/status.ts';
import type { JsonObject } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import { rankKeyPath } from '../store/layout.ts';
import { seedFor } from '../store/random.ts';
import type { ActivityDependencies } from './context.ts';
import { finishedOrMade, modelParameters, policyInputs, type WorkFields } from './gpu-work.ts';
import { readRunConfig } from './prepare-run.ts';
import { strategyOf } from './strategies/registry.ts';

const STAGE_VERSION = 1;

/** What a summary takes from `training.json`; the report reads the rest. */
const TrainingFacts = z.looseObject({
  num_examples: z.int(),
  num_steps: z.int(),
  dropped_over_length: z.array(z.json()),
});

export function trainingActivities(
  deps: ActivityDependencies,
): Pick<GpuActivities, 'trainPreference' | 'trainInfused'> {
  return {
    async trainPreference(input) {
      const {
        config: ref,
        round,
        policy,
        preference_pairs,
        infused_examples,
      } = TrainPreferenceInput.parse(input);
      const { config } = await readRunConfig(deps.store, ref);
      const {
        finetuning,
        lora,
        beta: _beta,
        chosen_nll_weight: _weight,
        nll_reduction: _reduction,
        ...knobs
      } = config.preference_training;
      const { loss, objective, reference, infused_weight } = strategyOf(config).training(config);
      const more = {
        ...(objective === undefined ? {} : { objective }),
        ...(reference === undefined ? {} : { reference }),
      };
      const infused = await infusedBeside(deps, infused_examples, infused_weight);
      const training = {
        stage: 'preference_training',
        round,
        policy,
        data: preference_pairs,
        // Strategies that train alike share a key.
        decided: {
          loss,
          beside: {
            ...more,
            ...(infused === null ? {} : { infused_weight: infused.request.weight }),
          },
        },
        ...(infused === null ? {} : { more_inputs: infused.inputs }),
      } as const;
      return await trained(deps, config, training, (fields, image_roots, seed) => ({
        ...fields,
        command: 'train_preference',
        pairs_path: join(deps.store.directory(preference_pairs), 'pairs.jsonl'),
        image_roots,
        ...tuned(finetuning),
        lora: varied(lora),
        loss,
        ...more,
        ...(infused === null ? {} : { infused: infused.request }),
        optimization: optimizationOf(deps, knobs, seed),
      }));
    },

    async trainInfused(input) {
      const { config: ref, round, policy, infused_examples } = TrainInfusedInput.parse(input);
      const { config } = await readRunConfig(deps.store, ref);
      const { finetuning, lora, ...knobs } = config.infused_training;
      const training = {
        stage: 'infused_training',
        round,
        policy,
        data: infused_examples,
        decided: { loss: {}, beside: {} },
      } as const;
      return await trained(deps, config, training, (fields, image_roots, seed) => ({
        ...fields,
        command: 'train_infused',
        examples_path: join(deps.store.directory(infused_examples), 'examples.jsonl'),
        image_roots,
        ...tuned(finetuning),
        lora: varied(lora),
        optimization: optimizationOf(deps, knobs, seed),
      }));
    },
  };
}

interface Training {
  readonly stage: 'preference_training' | 'infused_training';
  readonly round: number;
  readonly policy: Policy;
  /** Pairs or examples. */
  readonly data: ArtifactRef;
  /** What is read beside the data and its images. */
  readonly more_inputs?: readonly ArtifactRef[];
  /** What the strategy decides about the adapter, instead of the stage's knobs and beside them. */
  readonly decided: { readonly loss: JsonObject; readonly beside: JsonObject };
}

type ImageRoots = Extract<ModelProcessRequest, { command: 'generate' }>['image_roots'];

async function trained(
  deps: ActivityDependencies,
  config: ExperimentConfig,
  { stage, round, policy, data, more_inputs = [], decided }: Training,
  request: (fields: WorkFields, imageRoots: ImageRoots, seed: number) => ModelProcessRequest,
): Promise<{ adapter: ArtifactRef; summary: Record<string, number> }> {
  const seed = seedFor(config.seed, round, stage);
  // How many devices share the work, and how and where, does not say what is asked for: a training that was begun
  // on two goes on with one (docs/decisions/0007-ranks-share-no-backward-pass.md).
  const {
    world_size: _worldSize,
    parallelism: _parallelism,
    hosts: _hosts,
    batching,
    finetuning,
    lora,
    ...knobs
  } = config[stage];
  const images = await imagesOf(deps, data);
  const adapter = await finishedOrMade(deps, {
    spec: {
      kind: 'adapter',
      inputs: [data, images, ...more_inputs, ...policyInputs(policy)],
      parameters: {
        stage,
        seed,
        ...modelParameters(config.model),
        training: {
          ...knobs,
          ...(finetuning === 'full' ? { finetuning } : { lora: varied(lora) }),
          ...(batching === undefined || batching === 'shuffled' ? {} : { batching }),
          ...decided.loss,
        },
        ...decided.beside,
      },
      version: STAGE_VERSION,
    },
    model: config.model,
    policy,
    request: (fields) =>
      request(
        fields,
        {
          images: deps.store.directory(images),
          // Where a strategy contrasts images, the corrupted ones lie beside its pairs.
          corrupted: data.kind === 'preference_pairs' ? deps.store.directory(data) : null,
        },
        seed,
      ),
  });
  return { adapter, summary: await summaryOf(deps, adapter) };
}

interface InfusedBeside {
  readonly request: NonNullable<TrainPreferenceRequest['infused']>;
  readonly inputs: readonly ArtifactRef[];
}

/** Examples that a strategy learns beside its pairs; null where it learns none. */
async function infusedBeside(
  deps: ActivityDependencies,
  examples: ArtifactRef | undefined,
  weight: number | undefined,
): Promise<InfusedBeside | null> {
  if (examples === undefined && weight === undefined) return null;
  if (examples === undefined || weight === undefined) {
    throw new SticflowError(
      'ConfigInvalid',
      'Expected infused examples for a strategy that learns them beside its pairs, and for no other.',
    );
  }
  const images = await imagesOf(deps, examples);
  return {
    inputs: [examples, images],
    request: {
      examples_path: join(deps.store.directory(examples), 'examples.jsonl'),
      image_roots: { images: deps.store.directory(images), corrupted: null },
      weight,
    },
  };
}

type Knobs = Omit<OptimizationSpec, 'seed' | 'hosts'> & { readonly hosts?: string[] | undefined };

function optimizationOf(
  { workspace }: ActivityDependencies,
  { hosts, ...knobs }: Knobs,
  seed: number,
): OptimizationSpec {
  if (hosts === undefined) return { ...knobs, seed };
  return { ...knobs, seed, hosts: { addresses: hosts, key_path: rankKeyPath(workspace) } };
}

/** What is trained by LoRA is asked for like a training that names no kind. */
function tuned(finetuning: 'lora' | 'full' | undefined): { finetuning?: 'full' } {
  return finetuning === 'full' ? { finetuning } : {};
}

/** A variant of LoRA that is turned off is asked for like one that is not named. */
function varied({ use_rslora, use_dora, init_lora_weights, ...lora }: LoraSettings) {
  return {
    ...lora,
    ...(use_rslora === true ? { use_rslora } : {}),
    ...(use_dora === true ? { use_dora } : {}),
    ...(init_lora_weights === undefined ? {} : { init_lora_weights }),
  } satisfies LoraSettings;
}

/**
 * The artifact that holds the images of the data. Verifies every byte of the data on the way: a
 * training is too dear to start from a damaged file.
 */
async function imagesOf({ store }: ActivityDependencies, data: ArtifactRef): Promise<ArtifactRef> {
  const { inputs } = await store.verify(data);
  const images = inputs.find(({ kind }) => kind === 'images' || kind === 'instructions');
  if (images !== undefined) return images;
  throw new SticflowError(
    'ArtifactDamaged',
    `Expected the manifest of ${data.kind}/${data.key} to name the artifact of its images, it does not.`,
  );
}

/** The figures of a training, from its result: also there when an earlier attempt finished it. */
async function summaryOf(
  { store }: ActivityDependencies,
  adapter: ArtifactRef,
): Promise<Record<string, number>> {
  const { num_examples, num_steps, dropped_over_length } = await store.readJson(
    adapter,
    'training.json',
    TrainingFacts,
  );
  return { num_examples, num_steps, num_dropped_over_length: dropped_over_length.length };
}
