// From the official files over the judge's replies to scores, as the workflow has it done.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sharp } from '../../../activities/safe-sharp.ts';
import type { JudgedBenchmark } from '../../../contract/config-judge.ts';
import { writeDecodable } from '../benchmarks/layouts/sets.ts';
import { type OpenaiJudgeInput, preparedBenchmark, scored } from './evaluated.ts';
import { type Fault, startJudge } from './judge-workspace.ts';
import { temporaryFolder } from './run-workspace.ts';

/** A benchmark of the official files before a judge that has these faults; direct answers only. */
async function setUp(benchmark: JudgedBenchmark, faults: readonly Fault[] = [], knobs = {}) {
  const judge = await startJudge({ faults });
  const layout = join(temporaryFolder(), benchmark);
  const create = { width: 24, height: 16, channels: 3 } as const;
  const drawn = (background: string): Promise<Buffer> =>
    sharp({ create: { ...create, background } })
      .png()
      .toBuffer();
  const pictures = { red: await drawn('#e02020'), blue: await drawn('#2020e0') };
  await writeDecodable(layout, benchmark, pictures);
  const asked: OpenaiJudgeInput = {
    ...{ kind: 'openai', base_url: judge.url, model: 'judge-1', api_key: null },
    // One at a time, so that the number of a request tells its answer; no minute between attempts.
    ...{ max_parallel: 1, max_retries: 0, max_attempts: 1 },
    ...knobs,
  };
  const prepared = await preparedBenchmark(benchmark, {
    ...{ layout, judge: asked, describe_and_respond: 'off' },
  });
  return { judge, prepared };
}

const NONSENSE: Fault = { at: [1], does: 'say', text: 'A nice picture.' };

describe('LLaVA-Bench', () => {
  const answered = (id: string): string => `item-${id.split('/')[0] ?? ''} is a square`;

  it('is the mean of several reviews, each with a file and figures of its own', async () => {
    const { judge, prepared } = await setUp(
      'llavabench',
      [{ at: [1], does: 'say', text: '10 10\nPerfect.' }],
      { num_runs: 2 },
    );

    const { scores, items } = await scored(prepared, answered);

    expect(judge.timesAsked()).toEqual({ 'item-0': 2, 'item-1': 2, 'item-2': 2 });
    const [figures] = scores.figures;
    expect(figures).toMatchObject({ num_judged: 3, num_items: 3 });
    // 10 of 10 and twice 4 of 8; the second time three times 4 of 8.
    expect(figures?.official.metrics).toMatchObject({
      runs: [{ all: { relative_score: 69.2 } }, { all: { relative_score: 50 } }],
    });
    // An item has the mean of its reviews: 10 and 4 of the model, 10 and 8 of the reference.
    expect(items.map(({ score, weight }) => [score, weight])).toEqual([
      [7, 9],
      [4, 8],
      [4, 8],
    ]);
    expect(scores.measures['accuracy']).toMatchObject({ value: 15 / 25, n: 3 });
    expect(scores.conditions?.judge).toMatch(/^judge-1 = judge-1-2026-01-01 \(at 127\.0\.0\.1:/);
  });

  it('has no figure while one review of several is missing, and keeps every answer', async () => {
    const { prepared } = await setUp('llavabench', [{ at: [1], does: 'refuse' }], { num_runs: 2 });

    const { scores, items } = await scored(prepared, answered);

    expect(scores.figures[0]).toMatchObject({ num_judged: 2, num_items: 3 });
    expect(scores.figures[0]?.official.metrics).toBeNull();
    expect(scores.measures).toEqual({});
    expect(items.map(({ item_id, score, text }) => [item_id, score, text])).toEqual([
      ['0/direct', null, 'item-0 is a square'],
      ['1/direct', null, 'item-1 is a square'],
      ['2/direct', null, 'item-2 is a square'],
    ]);
  });

  it.each([
    ['nonsense', NONSENSE],
    ['a refusal', { at: [1], does: 'refuse' }],
  ])(
    'averages [-1, -1] in for %s where the config wants the official failures',
    async (_, fault) => {
      const { prepared } = await setUp('llavabench', [fault], { official_failures: true });

      const { scores, items } = await scored(prepared, answered);

      // -1, 4 and 4 over -1, 8 and 8: 2.333 / 5.
      expect(scores.figures[0]?.official.metrics).toMatchObject({ all: { relative_score: 46.7 } });
      expect(items[0]).toMatchObject({ item_id: '0/direct', score: null });
    },
  );
});

describe('MathVista', () => {
  // The truths are 1.2, "it's 140°" and 3; the judge extracts 3 from whatever it is shown.
  const texts: Record<string, string> = { '1': '1.23', '2': "it's 140°", '3': 'item-3 is three' };
  const answered = (id: string): string => texts[id.split('/')[0] ?? ''] ?? '';

  it('is scored by what the judge extracts, where rules extract nothing', async () => {
    const { judge, prepared } = await setUp('mathvista');

    const { scores, items } = await scored(prepared, answered);

    expect(judge.timesAsked()).toEqual({ 'item-3': 1 });
    expect(items.map(({ item_id, parsed, score }) => [item_id, parsed, score])).toEqual([
      ['1/direct', '1.2', 1],
      ['2/direct', "it's 140°", 1],
      ['3/direct', '3', 1],
    ]);
    expect(scores.measures['accuracy']).toMatchObject({ value: 1, n: 3 });
  });

  it('has no figure while an extraction is missing; its own words count where the config wants that', async () => {
    const fault = { at: [1], does: 'say', text: "I'm sorry, I cannot help." };
    const missing = await setUp('mathvista', [fault]);
    const official = await setUp('mathvista', [fault], { official_failures: true });

    const partial = await scored(missing.prepared, answered);
    const whole = await scored(official.prepared, answered);

    expect(partial.scores.figures[0]).toMatchObject({ num_judged: 2, num_items: 3 });
    expect(partial.items.map(({ score }) => score)).toEqual([null, null, null]);
    expect(whole.scores.measures['accuracy']).toMatchObject({ value: 2 / 3, n: 3 });
    expect(whole.items.map(({ score }) => score)).toEqual([1, 1, 0]);
  });
});

describe('MMBench', () => {
  // Questions 241 (truth A, then B) and 252 (truth B, then A); the judge says A.
  const answered = (id: string): string =>
    id.startsWith('1000252') ? 'item-252 hard to say' : id.startsWith('1000241') ? 'B' : 'A';

  it('takes the option that the judge names for what rules cannot read', async () => {
    const { judge, prepared } = await setUp('mmbench');

    const { scores, items } = await scored(prepared, (id) =>
      id.startsWith('252') ? 'B' : answered(id),
    );

    expect(judge.timesAsked()).toEqual({ 'item-252': 1 });
    expect(items.map(({ item_id, score }) => [item_id, score])).toEqual([
      ['241/direct', 1],
      ['252/direct', 1],
    ]);
    expect(scores.measures['accuracy']).toMatchObject({ value: 1, n: 2 });
  });

  it.each([false, true])(
    'has no figure for an option that nobody names: none is drawn (official_failures: %s)',
    async (official_failures) => {
      const nothing = { at: [1, 2, 3], does: 'say', text: 'hard to tell' };
      const { judge, prepared } = await setUp('mmbench', [nothing], { official_failures });

      const { scores, items } = await scored(prepared, answered);

      expect(judge.timesAsked()).toEqual({ 'item-252': 3 });
      expect(scores.figures[0]).toMatchObject({ num_judged: 1, num_items: 2 });
      expect(scores.measures).toEqual({});
      // The question without a judgement is there with its answer.
      expect(items.map(({ item_id, score }) => [item_id, score])).toEqual([
        ['241/direct', null],
        ['252/direct', null],
      ]);
    },
  );
});

describe('MM-Vet', () => {
  it('counts 0.0 for a grade that five tries do not give, where the config wants it', async () => {
    const { prepared } = await setUp(
      'mmvet',
      [
        { at: [1, 2, 3, 4, 5], does: 'say', text: 'good' },
        { at: [6, 7], does: 'say', text: '0.6' },
      ],
      { official_failures: true },
    );

    const { scores, items } = await scored(prepared, () => 'a square');

    expect(items.map(({ score }) => score)).toEqual([0, 0.6, 0.6]);
    expect(scores.figures[0]?.official.metrics).toMatchObject({ cap_score: { total: 40 } });
  });
});

describe.each([
  ['llavabench', 3],
  ['mmvet', 3],
  ['mathvista', 3],
  // Of four rotations.
  ['mmbench', 4],
] as const)('%s', (benchmark, numAnswers) => {
  const first = Array.from({ length: numAnswers }, (_, index) => index + 1);

  it.each([
    ['429', { at: first, does: 'too_many_requests', retry_after: 0 }],
    ['503', { at: first, does: 'fail', status: 503 }],
    ['nothing any more', { at: [1], does: 'die' }],
  ])('has no score from a judge that answers %s, and all from the next one', async (_, fault) => {
    const { judge, prepared } = await setUp(benchmark, [fault]);
    const answered = (): string => 'item-1 cannot be read by any rule';

    const missing = await scored(prepared, answered);
    if (fault.does === 'die') await startJudge({ like: judge });
    const judged = await scored(prepared, answered);

    expect(missing.scores.figures[0]).toMatchObject({ num_judged: 0, official: { metrics: null } });
    expect(missing.scores.measures).toEqual({});
    expect(missing.items.map(({ score }) => score)).toEqual(missing.items.map(() => null));
    const { num_judged, num_items } = judged.scores.figures[0] ?? {};
    expect([num_judged, missing.items.length]).toEqual([num_items, num_items]);
    expect(judged.items.every(({ score }) => score !== null)).toBe(true);
    expect(judged.items.map(({ item_id }) => item_id)).toEqual(
      missing.items.map(({ item_id }) => item_id),
    );
  });
});
