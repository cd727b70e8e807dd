/** Strategies about questions with known answers: spin, povid and rpo; the texts are published by hand. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { collected } from '../../../activities/collected.ts';
import { instructionsActivities } from '../../../activities/instructions.ts';
import { withHallucinations } from '../../../activities/strategies/hallucinations.ts';
import { ExperimentConfig, type ExperimentConfigInput } from '../../../contract/config.ts';
import { DroppedPair } from '../../../contract/records.ts';
import { registerSource } from '../../../store/sources.ts';
import { dependencies, folderOfImages, prepared, temporaryFolder } from './run-workspace.ts';
import { pairsOf, requestsIn, shardsOf, trainingOf } from './strategy-runs.ts';

interface Conversation {
  readonly answers: readonly string[];
  readonly rejected?: readonly string[];
}

const CONVERSATIONS: readonly Conversation[] = [
  { answers: ['blue', 'The small circle is left of the star.'] },
  { answers: ['4', 'yes'] },
  { answers: ['Fine weather', 'no'] },
];

/** A fan-out over an instruction set in LLaVA's format, three pictures with two questions each. */
async function fanOut(
  knobs: Partial<ExperimentConfigInput>,
  conversations: readonly Conversation[] = CONVERSATIONS,
) {
  const deps = dependencies();
  const folder = await folderOfImages(conversations.length);
  const file = join(temporaryFolder(), 'instructions.json');
  writeFileSync(file, JSON.stringify(conversations.map(record)));
  const infusion = {
    instructions: await registerSource(deps.workspace, file),
    image_root: await registerSource(deps.workspace, folder),
    num_examples: null,
  };
  const run = await prepared(deps, folder, { ...knobs, infusion });
  const { instructions } = await instructionsActivities(deps).selectInstructions({
    config: run.config,
    round: 1,
  });
  return { deps, plan: run.plan, shards: shardsOf(instructions, run.config) };
}

function record({ answers, rejected }: Conversation, index: number): object {
  const turns = (texts: readonly string[]) =>
    texts.flatMap((value, place) => [
      { from: 'human', value: `${place === 0 ? '<image>\n' : ''}Question ${String(place + 1)}?` },
      { from: 'gpt', value },
    ]);
  return {
    id: `record-${String(index)}`,
    image: `${String(index)}.png`,
    conversations: turns(answers),
    ...(rejected === undefined ? {} : { rejected_conversations: turns(rejected) }),
  };
}

const text = (messages: readonly { content: readonly { text: string }[] }[]): string =>
  messages.flatMap(({ content }) => content.map((part) => part.text)).join('');

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
    const infusion = INFUSION;
    expect(trainingOf({ strategy: 'spin', infusion })).toEqual({
      loss: { beta: 0.1, chosen_nll_weight: 0, nll_reduction: 'sum' },
    });
    const spin = { opponent: 'base' } as const;
    expect(trainingOf({ strategy: 'spin', infusion, strategy_options: { spin } })).toMatchObject({
      reference: 'base',
    });
  });
});

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
    const changed = (rate: number) => {
      const words = 'red blue green yellow'.split(' ');
      const after = withHallucinations(words.join(' '), { rate, draw })?.split(' ');
      return words.filter((word, place) => word !== after?.[place]).length;
    };
    expect([changed(0.01), changed(0.5), changed(1)]).toEqual([1, 2, 4]);
  });

  test('is none where no word is known', () => {
    expect(withHallucinations('Fine weather, обычный день', { rate: 1, draw })).toBeNull();
  });
});

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
    const rpo = { samples: 4, pairs_per_question: 3 } as const;
    const { deps, shards } = await fanOut({ strategy, strategy_options: { rpo } }, [
      { answers: ['blue'] },
    ]);
    const said = ['red', 'blue', 'green', 'red'];
    const { list } = await pairsOf(deps, shards, (id) => said[Number(id.at(-1)) - 1] ?? '');
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

const INFUSION = {
  instructions: 'builtin:scenes/instructions.json',
  image_root: 'builtin:scenes/images',
} as const;

const SAID: Readonly<Record<string, string>> = {
  'record-0/1/sample/1': 'red',
  'record-0/1/sample/2': 'Blue.',
  'record-0/1/sample/3': 'red',
  'record-1/1/sample/1': '4',
  'record-1/1/sample/2': '4.',
  'record-1/1/sample/3': ' 4',
};
