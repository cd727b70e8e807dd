/** Strategies from candidates to the training request; the texts are published by hand. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sharp } from '../../../activities/safe-sharp.ts';
import { requestsSpec } from '../../../activities/shard-plan.ts';
import { shardsActivities } from '../../../activities/shards.ts';
import { PreferenceDraw } from '../../../contract/records.ts';
import { runIdOf } from '../../../store/run-id.ts';
import { dependencies } from './run-workspace.ts';
import {
  configOf,
  fanOut,
  PROMPTS,
  pairsOf,
  requestKnobs,
  requestsIn,
  requestsOf,
  shardsOf,
  trainingOf,
} from './strategy-runs.ts';

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

test('a config with options of one strategy keeps the run id that it had before there were others', () => {
  const config = configOf({ strategy: 'mdpo', strategy_options: { mdpo: { anchor: 0.1 } } });
  expect(Object.keys(config.strategy_options ?? {})).toEqual(['stic_released', 'mdpo']);
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
