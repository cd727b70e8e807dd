/** What strategies about questions with known answers share, and spin; the texts are published by hand. */
import { describe, expect, test } from 'vitest';
import { ExperimentConfig } from '../../../contract/config.ts';
import { fanOut, INFUSION, text } from './question-shards.ts';
import { pairsOf, requestsIn, trainingOf } from './strategy-runs.ts';

test('a plan of such a strategy says where its pairs come from; others are as they were', async () => {
  expect((await fanOut({ strategy: 'spin' })).plan.pairs_from).toBe('instructions');
  expect((await fanOut({})).plan).not.toHaveProperty('pairs_from');
});

test('without an instruction set such a strategy is refused before anything runs', () => {
  for (const strategy of ['spin', 'povid', 'rpo'] as const) {
    const checked = ExperimentConfig.safeParse({
      name: 'test',
      strategy,
      model: { source: 'builtin:scenes/model' },
      images: { source: 'builtin:scenes/images/unlabelled' },
      training_stages: ['preference_training'],
    });
    expect(checked.error?.issues).toMatchObject([{ path: ['infusion'] }]);
    expect(checked.error?.message).toContain('infusion.instructions');
  }
});

test('single-stage is refused without the stage whose examples it learns', () => {
  const checked = ExperimentConfig.safeParse({
    name: 'test',
    strategy: 'single-stage',
    model: { source: 'builtin:scenes/model' },
    images: { source: 'builtin:scenes/images/unlabelled' },
    training_stages: ['preference_training'],
  });
  expect(checked.error?.issues).toMatchObject([{ path: ['strategy'] }]);
});

describe('spin', () => {
  test('asks the first question of each record and sets the given answer against the own', async () => {
    const { deps, shards } = await fanOut({ strategy: 'spin' });
    const asked = await requestsIn({ deps, shards });
    expect(asked.map(({ prompt, image }) => [prompt, image?.root])).toEqual(
      Array.from({ length: 3 }, () => ['Question 1?', 'images']),
    );

    const { list } = await pairsOf(deps, shards);
    expect(list.map(({ chosen }) => text(chosen)).toSorted()).toEqual([
      '4',
      'Fine weather',
      'blue',
    ]);
    for (const { rejected, provenance, pair_id } of list) {
      expect(text(rejected)).toBe(`a text for ${pair_id.replace(/1$/, 'rejected')}`);
      expect(provenance).toMatchObject({ rejection_source: 'opponent', chosen_seed: null });
      expect(provenance.rejected_seed).toEqual(expect.any(Number));
    }
  });

  test('asks every question where that is wanted', async () => {
    const knobs = { strategy: 'spin', strategy_options: { spin: { turns: 'every' } } } as const;
    const asked = await requestsIn(await fanOut(knobs));
    expect(asked).toHaveLength(6);
    expect(new Set(asked.map(({ seed }) => seed)).size).toBe(6);
  });

  test('drops a pair whose texts are the same: nothing is learnt from it', async () => {
    const { deps, shards } = await fanOut({ strategy: 'spin' });
    const { counts } = await pairsOf(deps, shards, (id) =>
      id === 'record-0/1/rejected' ? 'blue' : 'red',
    );
    expect(counts).toMatchObject({ pairs: 2, dropped: 1, 'dropped/equal': 1 });
  });

  test('says what to do where the policy answers everything as the data does', async () => {
    const { deps, shards } = await fanOut({ strategy: 'spin' }, [{ answers: ['blue'] }]);
    await expect(pairsOf(deps, shards, () => 'blue')).rejects.toThrow(
      /all 1 were dropped \(1 equal\).*nothing to learn: ask more \(infusion\.num_examples/,
    );
  });

  test('trains without a likelihood term against a named opponent', () => {
    expect(trainingOf({ strategy: 'spin', infusion: INFUSION })).toEqual({
      loss: { beta: 0.1, chosen_nll_weight: 0, nll_reduction: 'sum' },
    });
    const spin = { opponent: 'base' } as const;
    expect(
      trainingOf({ strategy: 'spin', infusion: INFUSION, strategy_options: { spin } }),
    ).toMatchObject({
      reference: 'base',
    });
  });
});
