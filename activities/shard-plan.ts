/** Which items a shard covers, and the key of its requests: known from the fan-out alone. */
import type { ShardSet } from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { RunConfig } from '../contract/run-config.ts';
import type { JsonObject } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import type { BuildSpec, Store } from '../store/store.ts';
import { generationsSpec } from './generation.ts';

const STAGE_VERSION = 1;

/** First and last-but-one item of a shard: contiguous, sizes differ by one at most. */
export function shardRange(shards: ShardSet, shard: number): { start: number; end: number } {
  const at = (index: number): number => Math.floor((index * shards.num_items) / shards.num_shards);
  return { start: at(shard), end: at(shard + 1) };
}

/** Requests of an evaluation do not depend on the round: the same policy is never evaluated twice. */
export function requestsSpec(
  shards: ShardSet,
  shard: number,
  run: RunConfig,
  descriptions: ArtifactRef | null,
): BuildSpec {
  const { task, source, num_items, num_shards } = shards;
  const { config, prompts } = run;
  const drawn = task === 'preference' || task === 'descriptions';
  const parameters: JsonObject = {
    task,
    shard,
    num_items,
    num_shards,
    // JSON by their schemas.
    prompts: prompts as unknown as JsonObject,
    ...(drawn
      ? {
          seed: config.seed,
          round: shards.round,
          preference: config.preference as unknown as JsonObject,
          ...sampling(run),
        }
      : {
          max_new_tokens: config.evaluation.max_new_tokens,
          describe_and_respond: config.evaluation.describe_and_respond,
          suffixes: config.evaluation.sets.map(({ name, question_suffix }) => [
            name,
            question_suffix,
          ]),
        }),
  };
  return {
    kind: 'generation_requests',
    inputs: descriptions === null ? [source] : [source, descriptions],
    parameters,
    version: STAGE_VERSION,
  };
}

function sampling({ config }: RunConfig): JsonObject {
  const { temperature, top_p, max_new_tokens } = config.generation;
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
