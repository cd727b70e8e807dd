/** Which items a shard covers, and the key of its requests: known from the fan-out alone. */
import type { ShardSet, ShardTask } from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import type { RunConfig } from '../contract/run-config.ts';
import type { JsonObject } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import type { BuildSpec, Store } from '../store/store.ts';
import { generationsSpec } from './generation.ts';
import { strategyOf } from './strategies/registry.ts';

const STAGE_VERSION = 1;

/** One shard of a fan-out, with the config it belongs to. */
export interface Shard {
  readonly shards: ShardSet;
  readonly shard: number;
  readonly run: RunConfig;
}

/** First item of a shard and the one after its last: contiguous, sizes differ by one at most. */
export function shardRange(shards: ShardSet, shard: number): { start: number; end: number } {
  const at = (index: number): number => Math.floor((index * shards.num_items) / shards.num_shards);
  return { start: at(shard), end: at(shard + 1) };
}

/**
 * The requests of one shard by what their bytes depend on and nothing else. Those of an evaluation do
 * not depend on the round: the same policy is never evaluated twice.
 */
export function requestsSpec(
  shards: ShardSet,
  shard: number,
  run: RunConfig,
  descriptions: ArtifactRef | null,
): BuildSpec {
  const { task, source, num_items, num_shards } = shards;
  return {
    kind: 'generation_requests',
    inputs: descriptions === null ? [source] : [source, descriptions],
    parameters: { task, shard, num_items, num_shards, ...knobsOf[task](run, shards.round) },
    version: STAGE_VERSION,
  };
}

const knobsOf: Record<ShardTask, (run: RunConfig, round: number) => JsonObject> = {
  preference: (run, round) => {
    const { seed, generation } = run.config;
    return { seed, round, ...sampling(generation), ...strategyOf(run.config).candidateKnobs(run) };
  },
  descriptions: ({ config, prompts }, round) => {
    const { seed, generation } = config;
    return { seed, round, ...sampling(generation), prompts: { normal: prompts.normal } };
  },
  answers: ({ config: { evaluation }, prompts }) => ({
    max_new_tokens: evaluation.max_new_tokens,
    describe_and_respond: evaluation.describe_and_respond,
    ...(evaluation.describe_blind === true ? { describe_blind: true } : {}),
    description_prompt: prompts.describe_and_respond.description_prompt,
  }),
  dar_answers: ({ config: { evaluation }, prompts }) => ({
    max_new_tokens: evaluation.max_new_tokens,
    question_template: prompts.describe_and_respond.question_template,
  }),
};

function sampling(generation: ExperimentConfig['generation']): JsonObject {
  const { temperature, top_p, max_new_tokens } = generation;
  return { temperature, top_p, max_new_tokens };
}

export interface FinishedShard {
  readonly requests: ArtifactRef;
  readonly generations: ArtifactRef;
}

/** The artifacts of a finished shard, found again by their keys. */
export async function finishedShard(
  store: Store,
  run: RunConfig,
  shards: ShardSet,
  shard: number,
): Promise<FinishedShard> {
  const descriptions =
    shards.task === 'dar_answers'
      ? (await finishedShard(store, run, { ...shards, task: 'answers' }, shard)).generations
      : null;
  const requests = await found(store, requestsSpec(shards, shard, run, descriptions));
  const generations = await found(store, generationsSpec(shards, requests, run.config));
  return { requests, generations };
}

async function found(store: Store, spec: BuildSpec): Promise<ArtifactRef> {
  const ref = await store.find(spec.kind, store.key(spec));
  if (ref !== null) return ref;
  throw new SticflowError(
    'ArtifactMissing',
    `Expected ${spec.kind}/${store.key(spec)} to be finished, it is not in this workspace. Workers of one run must share one workspace.`,
  );
}
