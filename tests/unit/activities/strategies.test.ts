/** Strategies from candidates to the training request; the texts are published by hand. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { collected } from '../../../activities/collected.ts';
import type { ActivityDependencies } from '../../../activities/context.ts';
import { generationsSpec } from '../../../activities/generation.ts';
import { imagesActivities } from '../../../activities/images.ts';
import { preferenceActivities } from '../../../activities/preference.ts';
import { readRunConfig } from '../../../activities/prepare-run.ts';
import { sharp } from '../../../activities/safe-sharp.ts';
import { requestsSpec } from '../../../activities/shard-plan.ts';
import { shardsActivities } from '../../../activities/shards.ts';
import { strategyOf } from '../../../activities/strategies/registry.ts';
import type { ShardSet } from '../../../contract/activities.ts';
import type { ArtifactRef } from '../../../contract/artifact.ts';
import { ExperimentConfig, type ExperimentConfigInput } from '../../../contract/config.ts';
import { GenerationRequest, PreferenceDraw, PreferencePair } from '../../../contract/records.ts';
import { writeLines } from '../../../store/lines.ts';
import { runIdOf } from '../../../store/run-id.ts';
import { dependencies, folderOfImages, prepared } from './run-workspace.ts';

const MODEL: ArtifactRef = {
  kind: 'model',
  key: '0'.repeat(32),
  sha256: '0'.repeat(64),
  num_records: 0,
};

describe('stic-paper', () => {
  // Taken before there was another strategy: an artifact that exists must be found again.
  test('has the run id and the keys that it always had', () => {
    const deps = dependencies();
    const config = configOf({});
    const shards = shardsOf({
      kind: 'images',
      key: '1'.repeat(32),
      sha256: '1'.repeat(64),
      num_records: 4,
    });
    const spec = requestsSpec(shards, 0, { config, prompts: PROMPTS }, null);
    expect([runIdOf(config), deps.store.key(spec)]).toEqual([
      'test-c704b1cc47',
      '43540a3405fa02c5b69b023482ab8acc',
    ]);
  });

  test('asks no more of a training than it always did', () => {
    expect(trainingOf({})).toEqual({
      loss: { beta: 0.1, chosen_nll_weight: 1 / 1024, nll_reduction: 'sum' },
    });
  });
});

test('dpo makes the pairs of the paper and leaves out the likelihood', () => {
  expect(trainingOf({ strategy: 'dpo', preference_training: { nll_reduction: 'token' } })).toEqual({
    loss: { beta: 0.1, chosen_nll_weight: 0, nll_reduction: 'token' },
  });
  expect(requestKnobs({ strategy: 'dpo' })).toEqual(requestKnobs({}));
});

test('positive-only makes the pairs of the paper and trains on the chosen texts without reference', () => {
  expect(trainingOf({ strategy: 'positive-only' })).toMatchObject({
    objective: { kind: 'positive_only' },
    reference: 'none',
  });
  expect(requestKnobs({ strategy: 'positive-only' })).toEqual(requestKnobs({}));
});

describe('stic-released', () => {
  const strategy = 'stic-released';

  test('asks for every rejected text on the clean image and corrupts none', async () => {
    const { deps, shards } = await fanOut({ strategy, preference: { bad_prompt_ratio: 0 } });
    const { requests } = await shardsActivities(deps).prepareShard({ shards, shard: 0 });
    for await (const { image } of requestsOf(deps, requests)) expect(image?.root).toBe('images');
    expect(await readdir(join(deps.store.directory(requests), 'corrupted'))).toEqual([]);
    for await (const draw of deps.store.readLines(requests, 'draws.jsonl', PreferenceDraw)) {
      expect(draw).toMatchObject({
        rejection_source: 'normal_prompt',
        rejected_prompt_id: draw.prompt_id,
        corruption: null,
      });
    }
  });

  test('corrupts as the paper does when that defect is off', async () => {
    const knobs = { strategy_options: { stic_released: { corruption: 'applied' } } } as const;
    const { deps, shards } = await fanOut({ strategy, ...knobs });
    const paper = await fanOut({});
    const released = await shardsActivities(deps).prepareShard({ shards, shard: 0 });
    const published = await shardsActivities(paper.deps).prepareShard({
      shards: paper.shards,
      shard: 0,
    });
    expect(released.requests.sha256).toBe(published.requests.sha256);
  });

  test('passes each other defect on to the training', () => {
    expect(trainingOf({ strategy })).toMatchObject({
      objective: { kind: 'stic_released', rejected_logps: 'alternatives', training_image: 'none' },
      reference: 'base',
    });
    const off = { rejected_logps: 'labels', training_image: 'clean' } as const;
    expect(trainingOf({ strategy, strategy_options: { stic_released: off } })).toMatchObject({
      objective: { kind: 'stic_released', ...off },
    });
  });
});

describe('mdpo', () => {
  const strategy = 'mdpo';

  test('gives every pair a corrupted image, which lies beside the pairs', async () => {
    const { deps, shards } = await fanOut({ strategy });
    const pairs = await pairsOf(deps, shards);
    expect(pairs.list).toHaveLength(6);
    for (const { provenance } of pairs.list) {
      const { contrast, corruption, image_id } = provenance;
      // A pair that has a corrupted image is contrasted with the same.
      if (corruption !== null) expect(contrast?.corruption).toEqual(corruption);
      expect(contrast?.image).toEqual({
        root: 'corrupted',
        file: `corrupted/${image_id}-contrast.png`,
      });
      const file = join(deps.store.directory(pairs.ref), contrast?.image.file ?? '');
      expect((await sharp(file).metadata()).format).toBe('png');
    }
    expect(
      new Set(pairs.list.map(({ provenance }) => provenance.rejection_source)).size,
    ).toBeGreaterThan(1);
  });

  test('can contrast with a crop, as the paper does', async () => {
    const knobs = { strategy_options: { mdpo: { contrast: 'crop' } } } as const;
    const { deps, shards } = await fanOut({ strategy, ...knobs });
    for (const { provenance } of (await pairsOf(deps, shards)).list) {
      expect(provenance.contrast?.corruption).toMatchObject({ kind: 'crop', severity: 0.9 });
    }
  });

  test('asks for the texts of the paper and weighs the terms of its own paper alike', async () => {
    const [own, paper] = [await fanOut({ strategy }), await fanOut({})];
    const [ours, theirs] = [await requestsIn(own), await requestsIn(paper)];
    expect(ours).toEqual(theirs);
    expect(trainingOf({ strategy })).toMatchObject({
      objective: { kind: 'mdpo', image_weight: 1, anchor_weight: 1, anchor: 0 },
    });
  });
});

const PROMPTS = {
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

function configOf(knobs: Partial<ExperimentConfigInput>): ExperimentConfig {
  return ExperimentConfig.parse({
    name: 'test',
    model: { source: 'builtin:scenes/model' },
    images: { source: 'builtin:scenes/images/unlabelled' },
    training_stages: ['preference_training'],
    ...knobs,
  });
}

function trainingOf(knobs: Partial<ExperimentConfigInput>): unknown {
  const config = configOf(knobs);
  return strategyOf(config).training(config);
}

function requestKnobs(knobs: Partial<ExperimentConfigInput>): unknown {
  const config = configOf(knobs);
  return strategyOf(config).candidateKnobs({ config, prompts: PROMPTS });
}

function shardsOf(source: ArtifactRef, config = source): ShardSet {
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

async function fanOut(knobs: Partial<ExperimentConfigInput>, count = 6) {
  const deps = dependencies();
  const { config } = await prepared(deps, await folderOfImages(count), knobs);
  const { images } = await imagesActivities(deps).ingestImages({ config });
  return { deps, shards: shardsOf(images, config) };
}

interface FannedOut {
  readonly deps: ActivityDependencies;
  readonly shards: ShardSet;
}

async function requestsIn({ deps, shards }: FannedOut): Promise<GenerationRequest[]> {
  const { requests } = await shardsActivities(deps).prepareShard({ shards, shard: 0 });
  return await collected(requestsOf(deps, requests));
}

/** The pairs of a fan-out of one shard, from texts that `say` makes of a request's id. */
async function pairsOf(
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

function requestsOf({ store }: ActivityDependencies, requests: ArtifactRef) {
  return store.readLines(requests, 'requests.jsonl', GenerationRequest);
}
