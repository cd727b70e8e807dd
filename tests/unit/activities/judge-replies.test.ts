import { describe, expect, it } from 'vitest';
import {
  answerTexts,
  llavabenchAnswers,
  mathvistaAnswers,
  mmbenchAnswers,
  mmvetAnswers,
} from './judge-answers.ts';
import { type Fault, judgeWorkspace, startJudge } from './judge-workspace.ts';

async function setUp(faults: readonly Fault[], knobs: object = {}) {
  const judge = await startJudge({ faults });
  const workspace = await judgeWorkspace();
  const config = {
    ...{ kind: 'openai', base_url: judge.url, model: 'judge-1', api_key: null },
    // One at a time, so that the number of a request tells its answer.
    ...{ max_parallel: 1, max_retries: 0, max_attempts: 1 },
    ...knobs,
  };
  return { judge, config, ...workspace };
}

describe('a reply that cannot be read', () => {
  it('is asked for again by the rules of MM-Vet, five times in all; then the grade is missing', async () => {
    const { judge, config, input, activities, judgements, score } = await setUp([
      { at: [1, 2, 3, 4, 5], does: 'say', text: 'rather good' },
    ]);
    const asked = await input(config, mmvetAnswers(answerTexts(2)));

    const { judgements: ref, counts } = await activities.judgeAnswers(asked);

    expect(judge.requests().map(({ temperature }) => temperature)).toEqual([0, 0, 0.5, 1, 1.5, 0]);
    expect(judge.requests().every(({ limit }) => limit === 3)).toBe(true);
    expect(counts).toMatchObject({ judged: 1, missing: 1 });
    expect((await judgements(ref))[0]).toMatchObject({
      value: null,
      missing: 'unreadable',
      text: 'rather good',
      tries: 5,
      prompt_tokens: 500,
    });
    const { items, unparsed } = await score(asked, ref);
    expect(items[0]).toEqual({ item_id: 'v1_0', parsed: null, score: null });
    expect(unparsed).toBe(1);
  });

  it('is a grade when a later try can be read, also in the next run of the program', async () => {
    const { judge, config, input, activities, values } = await setUp([
      { at: [1, 2], does: 'say', text: '7 of 10' },
      { at: [3], does: 'say', text: '0.9 I think' },
    ]);
    const asked = await input(config, mmvetAnswers(answerTexts(1)));

    const first = await activities.judgeAnswers(asked);
    const again = await activities.judgeAnswers(asked);

    expect(await values(first.judgements)).toEqual({ v1_0: 0.9 });
    expect(again.judgements).toEqual(first.judgements);
    expect(judge.requests()).toHaveLength(3);
  });

  it.each([
    // The other answer is given 8 and 4: alone 50; with 8 and 9 it is 13/16, and 81.25 rounds to even.
    ['8 9', 81.2],
    ['8  9', 50],
    ['8 1000', 50],
    ['-5 9', 50],
    ['nan nan', 50],
    ['I would rate both 8.', 50],
    ['', 50],
  ])('LLaVA-Bench: beside "8 4" a review "%s" gives %s', async (text, relative_score) => {
    const { config, input, activities, score } = await setUp([{ at: [1], does: 'say', text }]);
    const asked = await input(config, llavabenchAnswers(answerTexts(2)));

    const { judgements } = await activities.judgeAnswers(asked);

    expect((await score(asked, judgements)).metrics['all']).toMatchObject({ relative_score });
  });

  it.each([
    ['llavabench' as const, llavabenchAnswers, { relative_score: 42.9, model_x10: 15 }],
    ['mmvet' as const, mmvetAnswers, { total: 0 }],
  ])(
    '%s: counts as in the official script where the config asks for it',
    async (name, answers, expected) => {
      const { config, input, activities, score, judging } = await setUp(
        [
          { at: name === 'mmvet' ? [1, 2, 3, 4, 5] : [1], does: 'say', text: 'good' },
          { at: [6], does: 'say', text: '0.0' },
        ],
        { official_failures: true },
      );
      const asked = await input(config, answers(answerTexts(2)));

      const { judgements, counts } = await activities.judgeAnswers(asked);

      // [-1, -1] and [8, 4]: means 3.5 and 1.5.
      const { metrics, unparsed } = await score(asked, judgements);
      expect(metrics[name === 'mmvet' ? 'cap_score' : 'all']).toMatchObject(expected);
      expect(unparsed).toBe(name === 'mmvet' ? 0 : 1);
      expect(counts).toMatchObject({ judged: 1, missing: 1 });
      expect((await judging(judgements)).partial).toBe(true);
    },
  );

  it('is missing, with its own reason, when the judge declines', async () => {
    const { config, input, activities, judging } = await setUp([{ at: [1], does: 'refuse' }]);

    const { judgements } = await activities.judgeAnswers(
      await input(config, llavabenchAnswers(answerTexts(2))),
    );

    expect((await judging(judgements)).missing_by_reason).toEqual({ refused: 1 });
  });

  it('is missing when the server does not take that request, and the others are judged', async () => {
    const { config, input, activities, judging } = await setUp([
      { at: [2, 3], does: 'fail', status: 400 },
    ]);

    const { judgements, counts } = await activities.judgeAnswers(
      await input(config, llavabenchAnswers(answerTexts(4))),
    );

    expect(counts).toMatchObject({ judged: 2, missing: 2 });
    expect((await judging(judgements)).missing_by_reason).toEqual({ rejected: 2 });
  });
});

describe('MathVista', () => {
  it('asks only where the rules extract nothing, and scores no answer whose extraction is missing', async () => {
    const { judge, config, input, activities, score, judging } = await setUp([
      { at: [2], does: 'say', text: "I'm sorry, I cannot help with that." },
    ]);
    // Two that the rules read, two for the judge, which extracts 3.
    const asked = await input(config, mathvistaAnswers(['3', '4', 'item-2 three', 'item-3 three']));

    const { judgements, counts } = await activities.judgeAnswers(asked);

    expect(counts).toEqual({ items: 2, judged: 1, missing: 1, cached: 0, by_rules: 2 });
    expect(Object.keys(judge.timesAsked())).toEqual(['item-2', 'item-3']);
    const { metrics, items, unparsed } = await score(asked, judgements);
    // 3 is the truth everywhere: right, wrong, right by the judge, and one without a score.
    expect(metrics['scores']).toMatchObject({ average: { correct: 2, total: 3 } });
    expect(items.at(-1)).toEqual({ item_id: '3', parsed: null, score: null });
    expect(unparsed).toBe(1);
    expect((await judging(judgements)).scorer_files).toEqual({
      answers: 'answers.json',
      judgements: [],
    });
  });
});

describe('MMBench', () => {
  it('asks only for answers without an option, and leaves out a question whose judgement is missing', async () => {
    const { judge, config, input, activities, score } = await setUp([
      { at: [2, 3, 4], does: 'say', text: 'hard to tell' },
    ]);
    // Truth is A everywhere; each question has a second rotation, whose text is A.
    const asked = await input(
      config,
      mmbenchAnswers(['A', 'item-1 is of some colour', 'item-2 hm']),
    );

    const { judgements, counts } = await activities.judgeAnswers(asked);

    expect(counts).toEqual({ items: 2, judged: 1, missing: 1, cached: 0, by_rules: 4 });
    // Three tries, as in VLMEvalKit, and no random option after them.
    expect(judge.timesAsked()).toEqual({ 'item-1': 1, 'item-2': 3 });
    const { metrics } = await score(asked, judgements);
    expect(metrics).toMatchObject({ n_groups: 2, vanilla_main_rows: 1, not_inferred_rows: 0 });
  });

  it('without a judge is what exact matching gives: an answer without an option is wrong', async () => {
    const { input, activities, score } = await setUp([]);
    const asked = await input({ kind: 'none' }, mmbenchAnswers(['A', 'item-1 hm', 'A']));

    const { judgements } = await activities.judgeAnswers(asked);

    const { metrics } = await score(asked, judgements);
    expect(metrics).toMatchObject({ n_groups: 3, not_inferred_rows: 1 });
    expect(metrics['vanilla_main_rows']).toBeCloseTo(2 / 3);
  });
});
