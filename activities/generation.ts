/** `generateShard`, `generateOne` and `generateReplies`: texts for a file of requests, by the policy's or a judge's model. */
import { join } from 'node:path';
import {
  GenerateOneInput,
  GenerateRepliesInput,
  GenerateShardInput,
  type GpuActivities,
  type ShardSet,
} from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import { Generation } from '../contract/records.ts';
import type { Policy } from '../contract/status.ts';
import { SticflowError } from '../store/errors.ts';
import type { BuildSpec } from '../store/store.ts';
import type { ActivityDependencies } from './context.ts';
import { engineParameters, engineSpec, stallTimeout } from './generation-engine.ts';
import { finishedOrMade, policyInputs } from './gpu-work.ts';
import { modelOfJudge } from './model.ts';
import { readRunConfig } from './prepare-run.ts';

const STAGE_VERSION = 1;
/** A single text goes into the history; its contract allows 8,000. */
const MAX_TEXT_CHARACTERS = 8000;

export function generationActivities(
  deps: ActivityDependencies,
): Pick<GpuActivities, 'generateShard' | 'generateOne' | 'generateReplies'> {
  return {
    async generateShard(input) {
      const { shards, requests } = GenerateShardInput.parse(input);
      const { config } = await readRunConfig(deps.store, shards.config);
      const { policy, source } = shards;
      return { generations: await generate(deps, config, { policy, requests, source }) };
    },

    async generateOne(input) {
      const { config: ref, policy, requests } = GenerateOneInput.parse(input);
      const { config } = await readRunConfig(deps.store, ref);
      // The folder of a single request holds its image.
      const generations = await generate(deps, config, { policy, requests, source: requests });
      for await (const { text } of deps.store.readLines(
        generations,
        'generations.jsonl',
        Generation,
      )) {
        return { text: text.slice(0, MAX_TEXT_CHARACTERS), generations };
      }
      throw new SticflowError('DataInvalid', 'Expected one text, the model process wrote none.');
    },

    async generateReplies(input) {
      const { config: ref, model, requests } = GenerateRepliesInput.parse(input);
      const { config } = await readRunConfig(deps.store, ref);
      // The checkpoint is here; the engine of the policy's texts may be a server that has another.
      const judge: ExperimentConfig = {
        ...config,
        model: modelOfJudge(config),
        generation: { ...config.generation, engine: 'hf' },
      };
      const policy = { model, adapter: null };
      return { generations: await generate(deps, judge, { policy, requests, source: requests }) };
    },
  };
}

/** Where the texts of a shard are or will be: known from its requests alone. */
export function generationsSpec(
  { policy, source }: Pick<ShardSet, 'policy' | 'source'>,
  requests: ArtifactRef,
  config: ExperimentConfig,
): BuildSpec {
  return {
    kind: 'generations',
    // Requests name images; the bytes of those are the source's.
    inputs: [requests, source, ...policyInputs(policy)],
    parameters: engineParameters(config),
    version: STAGE_VERSION,
  };
}

interface Texts {
  readonly policy: Policy;
  readonly requests: ArtifactRef;
  /** Artifact whose folder holds the clean images. */
  readonly source: ArtifactRef;
}

async function generate(
  deps: ActivityDependencies,
  config: ExperimentConfig,
  { policy, requests, source }: Texts,
): Promise<ArtifactRef> {
  const { store } = deps;
  return await finishedOrMade(deps, {
    spec: generationsSpec({ policy, source }, requests, config),
    model: config.model,
    policy,
    request: async (fields) => ({
      ...fields,
      command: 'generate',
      requests_path: join(store.directory(requests), 'requests.jsonl'),
      image_roots: { images: store.directory(source), corrupted: store.directory(requests) },
      batch_size: config.generation.batch_size,
      engine: await engineSpec(deps.workspace, config),
    }),
    ...stallTimeout(config),
    check: ({ num_records }) => {
      if (num_records === requests.num_records) return;
      throw new SticflowError(
        'Internal',
        `Expected a text for each of ${requests.num_records} requests, got ${num_records}.`,
      );
    },
  });
}
