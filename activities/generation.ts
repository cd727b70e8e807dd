/** `generateShard` and `generateOne`: texts for a file of requests, by the policy's model. */
import { join } from 'node:path';
import {
  GenerateOneInput,
  GenerateShardInput,
  type GpuActivities,
  type ShardSet,
} from '../contract/activities.ts';
import { PROTOCOL_VERSION } from '../contract/api.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import { Generation } from '../contract/records.ts';
import { RunConfig } from '../contract/run-config.ts';
import type { Policy } from '../contract/status.ts';
import { SticflowError } from '../store/errors.ts';
import type { BuildSpec } from '../store/store.ts';
import type { ActivityDependencies } from './context.ts';
import { finishedOrMade, modelParameters, policyInputs, policySpec } from './gpu-work.ts';

const STAGE_VERSION = 1;
/** A text goes into the history; its contract allows 8,000. */
const MAX_TEXT = 8000;

export function generationActivities(
  deps: ActivityDependencies,
): Pick<GpuActivities, 'generateShard' | 'generateOne'> {
  return {
    async generateShard(input) {
      const { shards, requests } = GenerateShardInput.parse(input);
      const { config } = await deps.store.readJson(shards.config, 'config.json', RunConfig);
      const spec = generationsSpec(shards, requests, config);
      const source = shards.source;
      return {
        generations: await generate(deps, spec, {
          config,
          policy: shards.policy,
          requests,
          source,
        }),
      };
    },

    async generateOne(input) {
      const { config: ref, policy, requests } = GenerateOneInput.parse(input);
      const { config } = await deps.store.readJson(ref, 'config.json', RunConfig);
      const spec = specOf(policy, requests, config);
      const generations = await generate(deps, spec, {
        config,
        policy,
        requests,
        source: requests,
      });
      for await (const { text } of deps.store.readLines(
        generations,
        'generations.jsonl',
        Generation,
      )) {
        return { text: text.slice(0, MAX_TEXT), generations };
      }
      throw new SticflowError('DataInvalid', 'Expected one text, the model process wrote none.');
    },
  };
}

/** Where the texts of a shard are or will be: known from its requests alone. */
export function generationsSpec(
  shards: ShardSet,
  requests: ArtifactRef,
  config: ExperimentConfig,
): BuildSpec {
  return specOf(shards.policy, requests, config);
}

function specOf(policy: Policy, requests: ArtifactRef, config: ExperimentConfig): BuildSpec {
  return {
    kind: 'generations',
    inputs: [requests, ...policyInputs(policy)],
    parameters: { ...modelParameters(config.model), batch_size: config.generation.batch_size },
    version: STAGE_VERSION,
  };
}

interface Texts {
  readonly config: ExperimentConfig;
  readonly policy: Policy;
  readonly requests: ArtifactRef;
  /** Artifact whose folder holds the clean images. */
  readonly source: ArtifactRef;
}

async function generate(
  deps: ActivityDependencies,
  spec: BuildSpec,
  { config, policy, requests, source }: Texts,
): Promise<ArtifactRef> {
  return await finishedOrMade(deps, spec, async ({ workDir, attempt }) => ({
    protocol_version: PROTOCOL_VERSION,
    request_id: `generate/${deps.store.key(spec)}`,
    command: 'generate',
    work_dir: workDir,
    attempt,
    lock_timeout_seconds: 20,
    ...(await policySpec(deps, config.model, policy)),
    requests_path: join(deps.store.directory(requests), 'requests.jsonl'),
    image_roots: {
      images: deps.store.directory(source),
      corrupted: deps.store.directory(requests),
    },
    batch_size: config.generation.batch_size,
  }));
}
