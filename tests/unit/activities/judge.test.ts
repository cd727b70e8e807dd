import { describe, expect, it } from 'vitest';
import { answerTexts, llavabenchAnswers, mmvetAnswers } from './judge-answers.ts';
import { type Fault, judgeWorkspace, startJudge } from './judge-workspace.ts';

/** Server without a key, and a workspace. */
async function setUp(faults: readonly Fault[] = []) {
  const judge = await startJudge({ faults });
  const workspace = await judgeWorkspace();
  const config = { kind: 'openai', base_url: judge.url, model: 'judge-1', api_key: null } as const;
  return { judge, config, ...workspace };
}

describe('judgeAnswers', () => {
  it('has every answer judged, in a form that the scorer of the benchmark reads', async () => {
    const { judge, config, input, activities, score, judging } = await setUp();
    const asked = await input(config, llavabenchAnswers(answerTexts(6)));

    const { judgements, counts, stopped } = await activities.judgeAnswers(asked);

    expect(counts).toEqual({ items: 6, judged: 6, missing: 0, cached: 0, by_rules: 0 });
    expect(stopped).toBeNull();
    expect(
      judge.requests().every(({ temperature, limit }) => temperature === 0.2 && limit === 1024),
    ).toBe(true);
    // The fake judge gives 8 to the reference and 4 to the model.
    expect((await score(asked, judgements)).metrics['all']).toEqual({
      relative_score: 50,
      reference_x10: 80,
      model_x10: 40,
    });
    expect(await judging(judgements)).toMatchObject({
      partial: false,
      prompt_tokens: 600,
      completion_tokens: 30,
    });
  });

  it('asks nobody when it is called again, nor for another config with the same judge', async () => {
    const { judge, config, input, activities, anotherWorker } = await setUp();
    const answers = mmvetAnswers(answerTexts(5));
    const first = await activities.judgeAnswers(await input(config, answers));

    const again = await activities.judgeAnswers(await input(config, answers));
    const faster = await input({ ...config, max_parallel: 9 }, answers);
    const other = await anotherWorker().judgeAnswers(faster);

    expect(judge.requests()).toHaveLength(5);
    expect(again).toEqual({ ...first, counts: { ...first.counts, cached: 5 } });
    expect(other.judgements).toEqual(first.judgements);
  });

  it.each([
    ['model', { model: 'judge-2' }],
    ['temperature', { temperature: 1 }],
    ['reply limit', { max_reply_tokens: 7 }],
    ['prompt', { prompt: 'fenced' }],
  ])('asks anew for another %s, and never gives both one name', async (_, knobs) => {
    const { judge, config, input, activities } = await setUp();
    const answers = mmvetAnswers(answerTexts(2));
    const first = await activities.judgeAnswers(await input(config, answers));

    const other = await activities.judgeAnswers(await input({ ...config, ...knobs }, answers));

    expect(judge.requests()).toHaveLength(4);
    expect(other.judgements.key).not.toBe(first.judgements.key);
    if (!('max_reply_tokens' in knobs)) expect(other.judge).not.toBe(first.judge);
  });

  it('asks for each of several runs, and gives the scorer all of them', async () => {
    const { judge, config, input, activities, score } = await setUp();
    const asked = await input({ ...config, num_runs: 3 }, mmvetAnswers(answerTexts(4)));

    const { judgements, counts } = await activities.judgeAnswers(asked);

    expect(counts).toMatchObject({ items: 12, judged: 12 });
    expect(judge.requests()).toHaveLength(12);
    const { metrics } = await score(asked, judgements);
    expect(metrics['cap_score']).toMatchObject({
      std: 0,
      runs: [expect.any(Number), expect.any(Number), expect.any(Number)],
    });
  });

  it('names who judged: asked for, served, and where', async () => {
    const { judge, config, input, activities } = await setUp();

    const { judge: label } = await activities.judgeAnswers(
      await input(config, mmvetAnswers(answerTexts(1))),
    );

    expect(label).toBe(`judge-1 = judge-1-2026-01-01 (at 127.0.0.1:${String(judge.port)})`);
  });

  it('shows the judge the beginning of an endless answer, and says so', async () => {
    const { judge, config, input, activities, judgements, judging } = await setUp();
    const texts = ['item-0 is a cat', `item-1 ${'and a cat '.repeat(10_000)}`];

    const { judgements: ref } = await activities.judgeAnswers(
      await input({ ...config, max_answer_chars: 500 }, llavabenchAnswers(texts)),
    );

    expect((await judgements(ref)).map(({ answer_cut }) => answer_cut)).toEqual([false, true]);
    expect((await judging(ref)).counts.answers_cut).toBe(1);
    expect(Math.max(...judge.requests().map(({ prompt_chars }) => prompt_chars))).toBeLessThan(
      3000,
    );
  });

  it('sends no faster than asked, over two workers of the workspace', async () => {
    const { judge, config, input, activities, anotherWorker } = await setUp();
    const answers = answerTexts(8);
    const slowly = { ...config, requests_per_minute: 600 };
    const halves = [answers.slice(0, 4), answers.slice(4)].map(mmvetAnswers);
    const [one, two] = await Promise.all(halves.map(async (half) => await input(slowly, half)));
    if (one === undefined || two === undefined) throw new Error('two halves');

    await Promise.all([activities.judgeAnswers(one), anotherWorker().judgeAnswers(two)]);

    const times = judge.requests().map(({ at_ms }) => at_ms);
    // Eight slots of 100 ms: seven lie between the first and the last request.
    expect(times).toHaveLength(8);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(650);
  });

  it('stops at the spending cap: scores are missing, and are judged when the cap is raised', async () => {
    const { judge, config, input, activities, judging } = await setUp();
    const answers = llavabenchAnswers(answerTexts(20));
    // A request is booked with 105 tokens; before, it counts with its bytes and 1,024 of reply.
    const capped = { ...config, max_parallel: 4, spending: { max_tokens: 4000 } };

    const first = await activities.judgeAnswers(await input(capped, answers));
    const asked = judge.requests().length;

    expect(first.stopped).toMatch(/spending cap .* answers were not judged .*max_tokens is 4000/);
    // One after another, 12 and more fit; four at once must not be stopped by what they reserve.
    expect(asked).toBeGreaterThanOrEqual(12);
    expect(105 * asked).toBeLessThanOrEqual(4000);
    expect(first.counts).toMatchObject({ judged: asked, missing: 20 - asked });
    expect((await judging(first.judgements)).missing_by_reason).toEqual({
      spending_cap: 20 - asked,
    });

    const more = await activities.judgeAnswers(await input(config, answers));

    expect(more.counts).toMatchObject({ judged: 20, missing: 0, cached: asked });
    expect(judge.requests()).toHaveLength(20);
  });

  it('counts money where prices are given', async () => {
    const { judge, config, input, activities } = await setUp();
    const spending = { max_money: 0.05, prices: { prompt: 10, completion: 30 } };

    const { counts } = await activities.judgeAnswers(
      await input({ ...config, spending }, llavabenchAnswers(answerTexts(30))),
    );

    // 100 tokens of prompt and 5 of reply cost 0.00115; the dearest outcome is about 0.045.
    expect(counts['judged']).toBe(judge.requests().length);
    expect(counts['judged']).toBeGreaterThan(1);
    expect(counts['judged']).toBeLessThan(30);
  });

  it('scores with nobody what needs nobody, and has the rest missing', async () => {
    const { input, activities, judging, judge } = await setUp();

    const {
      judgements,
      counts,
      judge: label,
    } = await activities.judgeAnswers(await input({ kind: 'none' }, mmvetAnswers(answerTexts(3))));

    expect(counts).toEqual({ items: 3, judged: 0, missing: 3, cached: 0, by_rules: 0 });
    expect(label).toBe('no judge');
    expect(await judging(judgements)).toMatchObject({
      partial: true,
      missing_by_reason: { no_judge: 3 },
    });
    expect(judge.requests()).toEqual([]);
  });

  it('says what to put where when the judge cannot be shown the context', async () => {
    const { judge, config, input, activities } = await setUp();
    const { files, ...answers } = llavabenchAnswers(answerTexts(2));
    const { 'scoring/context.jsonl': _, ...rest } = files;

    const judging = activities.judgeAnswers(await input(config, { ...answers, files: rest }));

    await expect(judging).rejects.toMatchObject({ type: 'DataInvalid', nonRetryable: true });
    await expect(judging).rejects.toThrow(/context\.jsonl/);
    expect(judge.requests()).toEqual([]);
  });
});
