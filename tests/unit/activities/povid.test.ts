/** The strategy povid: hallucinations in given answers, and a noisy image beside each. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { collected } from '../../../activities/collected.ts';
import { withHallucinations } from '../../../activities/strategies/hallucinations.ts';
import { DroppedPair } from '../../../contract/records.ts';
import { fanOut, INFUSION, text, workspaceWith } from './question-shards.ts';
import { pairsOf, requestsIn, trainingOf } from './strategy-runs.ts';

describe('povid', () => {
  const strategy = 'povid';

  test('asks the model nothing, and every pair has its noisy image beside it', async () => {
    const { deps, shards } = await fanOut({ strategy });
    expect(await requestsIn({ deps, shards })).toEqual([]);

    const { ref, list } = await pairsOf(deps, shards);
    expect(list).not.toEqual([]);
    for (const { provenance } of list) {
      expect(provenance).toMatchObject({
        rejection_source: 'injected_hallucination',
        chosen_seed: null,
        rejected_seed: null,
        contrast: { corruption: { kind: 'noise', step: 500 } },
      });
      const file = join(deps.store.directory(ref), provenance.contrast?.image.file ?? '');
      expect(readFileSync(file).subarray(1, 4).toString()).toBe('PNG');
    }
  });

  test('leaves out an answer in which nothing can be changed, and says so', async () => {
    const { deps, shards } = await fanOut({ strategy });
    const { counts, ref, list } = await pairsOf(deps, shards);
    expect(counts).toMatchObject({ pairs: 2, 'dropped/no_hallucination': 1 });
    const dropped = await collected(deps.store.readLines(ref, 'dropped.jsonl', DroppedPair));
    expect(dropped).toEqual([
      { pair_id: 'record-2/1/1', reason: 'no_hallucination', side: 'both' },
    ]);
    for (const { chosen, rejected } of list) expect(text(rejected)).not.toBe(text(chosen));
  });

  test("takes hallucinations that a file in POVID's format brings along", async () => {
    const given = [{ answers: ['blue', 'yes'], rejected: ['sky', 'maybe'] }, { answers: ['red'] }];
    const povid = { hallucinations: 'given', turns: 'every' } as const;
    const { deps, shards } = await fanOut({ strategy, strategy_options: { povid } }, given);
    const { list, counts } = await pairsOf(deps, shards);
    expect(list.map(({ chosen, rejected }) => [text(chosen), text(rejected)])).toEqual([
      ['blue', 'sky'],
      ['yes', 'maybe'],
    ]);
    expect(counts).toMatchObject({ 'dropped/no_hallucination': 1 });
  });

  test('makes other pairs with another knob of the pairing, though nothing else is other', async () => {
    const { deps, shardsWith } = await workspaceWith([
      { answers: ['red blue green yellow'], rejected: ['a b c d'] },
    ]);
    const rejectedWith = async (povid: object) => {
      const { shards } = await shardsWith({ strategy, strategy_options: { povid } });
      const { list } = await pairsOf(deps, shards);
      return list.map(({ rejected }) => text(rejected)).join();
    };

    const few = await rejectedWith({ injection_rate: 0.25 });
    const many = await rejectedWith({ injection_rate: 1 });

    expect(changedWords('red blue green yellow', few)).toBe(1);
    expect(changedWords('red blue green yellow', many)).toBe(4);
    expect(await rejectedWith({ hallucinations: 'given' })).toBe('a b c d');
  });

  test('weighs its two terms alike, as its code does', () => {
    expect(trainingOf({ strategy, infusion: INFUSION })).toEqual({
      loss: { beta: 0.1, chosen_nll_weight: 0, nll_reduction: 'sum' },
      objective: { kind: 'povid', rejected_weight: 0.5, noisy_weight: 0.5 },
    });
  });
});

describe('a hallucination', () => {
  const draw = (purpose: string): number => (purpose.startsWith('rank') ? 0.5 : 0.99);

  test('exchanges words for others of their kind and leaves the rest as it is', () => {
    expect(withHallucinations('A Red circle, left of two dogs.', { rate: 1, draw })).toBe(
      'A Gray heart, right of ten dogs.',
    );
  });

  test('changes one word at least, and a share of several', () => {
    const words = 'red blue green yellow';
    const changed = (rate: number) =>
      changedWords(words, withHallucinations(words, { rate, draw }) ?? '');
    expect([changed(0.01), changed(0.5), changed(1)]).toEqual([1, 2, 4]);
  });

  test('is none where no word is known', () => {
    expect(withHallucinations('Fine weather, обычный день', { rate: 1, draw })).toBeNull();
  });
});

function changedWords(before: string, after: string): number {
  const words = after.split(' ');
  return before.split(' ').filter((word, place) => word !== words[place]).length;
}
