/** Runs of a strategy without a model: from a config to its pairs, with texts published by hand. */
import { join } from 'node:path';
import { collected } from '../../../activities/collected.ts';
import type { ActivityDependencies } from '../../../activities/context.ts';
import { generationsSpec } from '../../../activities/generation.ts';
import { imagesActivities } from '../../../activities/images.ts';
import { preferenceActivities } from '../../../activities/preference.ts';
import { readRunConfig } from '../../../activities/prepare-run.ts';
import { shardsActivities } from '../../../activities/shards.ts';
import { strategyOf } from '../../../activities/strategies/registry.ts';
import type { ShardSet } from '../../../contract/activities.ts';
import type { ArtifactRef } from '../../../contract/artifact.ts';
import { ExperimentConfig, type ExperimentConfigInput } from '../../../contract/config.ts';
import { GenerationRequest, PreferencePair } from '../../../contract/records.ts';
import { writeLines } from '../../../store/lines.ts';
import { dependencies, folderOfImages, prepared } from './run-workspace.ts';

const MODEL: ArtifactRef = {
  kind: 'model',
  key: '0'.repeat(32),
  sha256: '0'.repeat(64),
  num_records: 0,
};

export const PROMPTS = {
  well_crafted: { id: 'good', text: 'Describe well.' },
  normal: { id: 'normal', items: ['Describe.'] },
  bad: { id: 'bad', items: ['Invent.'] },
  infusion_template: { id: 'infusion', template: '{description} {instruction}' },
  describe_and_respond: {
    id: 'dar',
    description_prompt: 'Describe.',
    question_template: '{question}',
  },
};

export function configOf(knobs: Partial<ExperimentConfigInput>): ExperimentConfig {
  return ExperimentConfig.parse({
    name: 'test',
    model: { source: 'builtin:scenes/model' },
    images: { source: 'builtin:scenes/images/unlabelled' },
    training_stages: ['preference_training'],
    ...knobs,
  });
}

export function trainingOf(knobs: Partial<ExperimentConfigInput>): unknown {
  const config = configOf(knobs);
  return strategyOf(config).training(config);
}

export function requestKnobs(knobs: Partial<ExperimentConfigInput>): unknown {
  const config = configOf(knobs);
  return strategyOf(config).candidateKnobs({ config, prompts: PROMPTS });
}

export function shardsOf(source: ArtifactRef, config = source): ShardSet {
  return {
    task: 'preference',
    config,
    round: 1,
    policy: { model: MODEL, adapter: null },
    source,
    num_items: source.num_records,
    num_shards: 1,
  };
}

export async function fanOut(knobs: Partial<ExperimentConfigInput>, count = 6) {
  const deps = dependencies();
  const { config } = await prepared(deps, await folderOfImages(count), knobs);
  const { images } = await imagesActivities(deps).ingestImages({ config });
  return { deps, shards: shardsOf(images, config) };
}

interface FannedOut {
  readonly deps: ActivityDependencies;
  readonly shards: ShardSet;
}

export async function requestsIn({ deps, shards }: FannedOut): Promise<GenerationRequest[]> {
  const { requests } = await shardsActivities(deps).prepareShard({ shards, shard: 0 });
  return await collected(requestsOf(deps, requests));
}

/** The pairs of a fan-out of one shard, from texts that `say` makes of a request's id. */
export async function pairsOf(
  deps: ActivityDependencies,
  shards: ShardSet,
  say = (requestId: string): string => `a text for ${requestId}`,
): Promise<{ ref: ArtifactRef; counts: Record<string, number>; list: PreferencePair[] }> {
  const { config } = await readRunConfig(deps.store, shards.config);
  const { requests } = await shardsActivities(deps).prepareShard({ shards, shard: 0 });
  const asked = await collected(requestsOf(deps, requests));
  await deps.store.build(generationsSpec(shards, requests, config), async (directory) => {
    const texts = asked.map(({ request_id }) => ({
      request_id,
      text: say(request_id),
      num_tokens: 4,
      finish_reason: 'stop',
    }));
    return await writeLines(join(directory, 'generations.jsonl'), texts);
  });
  const { preference_pairs, counts } = await preferenceActivities(deps).collectPreferencePairs({
    shards,
  });
  const list = await collected(
    deps.store.readLines(preference_pairs, 'pairs.jsonl', PreferencePair),
  );
  return { ref: preference_pairs, counts, list };
}

export function requestsOf({ store }: ActivityDependencies, requests: ArtifactRef) {
  return store.readLines(requests, 'requests.jsonl', GenerationRequest);
}
