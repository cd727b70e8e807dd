/** The strategy rpo: own right against own wrong answers; the texts are published by hand. */
import { describe, expect, test } from 'vitest';
import { fanOut, INFUSION, text, workspaceWith } from './question-shards.ts';
import { pairsOf, requestsIn, trainingOf } from './strategy-runs.ts';

describe('rpo', () => {
  const strategy = 'rpo';
  const knobs = { strategy, strategy_options: { rpo: { samples: 3 } } } as const;

  test('samples several answers to a question, and pairs right with wrong ones', async () => {
    const { deps, shards } = await fanOut(knobs);
    const { list, counts } = await pairsOf(deps, shards, (id) => SAID[id] ?? 'unheard of');
    expect(list.map(({ chosen, rejected }) => [text(chosen), text(rejected)])).toEqual([
      ['Blue.', 'red'],
    ]);
    expect(list[0]?.provenance).toMatchObject({ rejection_source: 'wrong_answer' });
    // The second is right in every sample, the third in none.
    expect(counts).toMatchObject({ pairs: 1, 'dropped/all_right': 1, 'dropped/all_wrong': 1 });
    const seeds = (await requestsIn({ deps, shards })).map(({ seed }) => seed);
    expect([seeds.length, new Set(seeds).size]).toEqual([9, 9]);
  });

  test('asks nothing where the answer is too long to compare', async () => {
    const { deps, shards } = await fanOut(knobs, [
      { answers: ['blue'] },
      { answers: ['The circle is left of the star.'] },
    ]);
    expect(await requestsIn({ deps, shards })).toHaveLength(3);
    const { counts } = await pairsOf(deps, shards, (id) => (id.endsWith('/2') ? 'blue' : 'red'));
    expect(counts).toMatchObject({ pairs: 1, 'dropped/not_verifiable': 1 });
  });

  test('makes several pairs of a question, no text twice on the longer side', async () => {
    const { deps, shardsWith } = await workspaceWith([{ answers: ['blue'] }]);
    const said = ['red', 'blue', 'green', 'red'];
    // In the same workspace, so that the one must not be taken for the other.
    const listOf = async (pairs_per_question: number) => {
      const rpo = { samples: 4, pairs_per_question };
      const { shards } = await shardsWith({ strategy, strategy_options: { rpo } });
      const { list } = await pairsOf(deps, shards, (id) => said[Number(id.at(-1)) - 1] ?? '');
      return list;
    };
    expect(await listOf(1)).toHaveLength(1);
    const list = await listOf(3);
    expect(
      list.map(({ pair_id, chosen, rejected }) => [pair_id, text(chosen), text(rejected)]),
    ).toEqual([
      ['record-0/1/1', 'blue', 'red'],
      ['record-0/1/1/2', 'blue', 'green'],
    ]);
  });

  test('adds the length-normalised likelihood with weight 1', () => {
    expect(trainingOf({ strategy, infusion: INFUSION })).toEqual({
      loss: { beta: 0.1, chosen_nll_weight: 1, nll_reduction: 'sequence' },
    });
  });
});

const SAID: Readonly<Record<string, string>> = {
  'record-0/1/sample/1': 'red',
  'record-0/1/sample/2': 'Blue.',
  'record-0/1/sample/3': 'red',
  'record-1/1/sample/1': '4',
  'record-1/1/sample/2': '4.',
  'record-1/1/sample/3': ' 4',
};
