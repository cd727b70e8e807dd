import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import type { Activities } from '../../../contract/activities.ts';
import { answerTexts, llavabenchAnswers, mmvetAnswers } from './judge-answers.ts';
import { type Fault, judgeWorkspace, startJudge } from './judge-workspace.ts';

type Output = Awaited<ReturnType<Activities['judgeAnswers']>>;

const OWNER = fileURLToPath(new URL('../../fixtures/judge-owner.ts', import.meta.url));

async function setUp(faults: readonly Fault[] = [], knobs: object = {}) {
  const judge = await startJudge({ faults });
  const workspace = await judgeWorkspace();
  const config = {
    ...{ kind: 'openai', base_url: judge.url, model: 'judge-1', api_key: null },
    ...{ max_parallel: 1, max_retries: 2, timeout_seconds: 1 },
    ...knobs,
  };
  return { judge, config, ...workspace };
}

describe('a judge in trouble', () => {
  it('is left alone for as long as it asks, by all requests of the worker', async () => {
    const { judge, config, input, activities } = await setUp(
      [{ at: [2], does: 'too_many_requests', retry_after: 2 }],
      { max_parallel: 2 },
    );

    const { counts } = await activities.judgeAnswers(
      await input(config, mmvetAnswers(answerTexts(6))),
    );

    expect(counts).toMatchObject({ judged: 6, missing: 0 });
    const refused = judge.requests().find(({ does }) => does === 'too_many_requests')?.at_ms ?? 0;
    // One request may have been under way when the server said so.
    const tooEarly = judge
      .requests()
      .filter(({ at_ms }) => at_ms > refused && at_ms < refused + 1950);
    expect(tooEarly.length).toBeLessThanOrEqual(1);
  });

  it.each([
    ['fails', { does: 'fail', status: 500 }],
    ['is overloaded', { does: 'fail', status: 503 }],
    ['hangs', { does: 'hang' }],
    ['hangs in its answer', { does: 'hang_in_body' }],
    ['breaks off its answer', { does: 'cut' }],
    ['is hidden by a web page', { does: 'web_page' }],
  ])('is asked again when it %s', async (_, fault) => {
    const { judge, config, input, activities } = await setUp([{ at: [2], ...fault }]);

    const { counts } = await activities.judgeAnswers(
      await input(config, mmvetAnswers(answerTexts(3))),
    );

    expect(counts).toMatchObject({ judged: 3, missing: 0 });
    expect(judge.requests()).toHaveLength(4);
  });

  it('dies in mid-answer and comes back: the attempt fails, the next one goes on, no answer is judged twice', async () => {
    const undisturbed = await setUp();
    const answers = llavabenchAnswers(answerTexts(9));
    const expected = await undisturbed.activities.judgeAnswers(
      await undisturbed.input(undisturbed.config, answers),
    );
    const { judge, config, input, activities, values } = await setUp([{ at: [5], does: 'die' }], {
      max_retries: 0,
    });
    const asked = await input(config, answers);

    await expect(activities.judgeAnswers(asked)).rejects.toMatchObject({
      type: 'JudgeUnavailable',
      nonRetryable: false,
      details: [{ judged: 4, open: 5, attempt: 1 }],
    });
    const back = await startJudge({ like: judge });
    const { judgements } = await activities.judgeAnswers(asked);

    expect(await values(judgements)).toEqual(await undisturbed.values(expected.judgements));
    // The fifth was under way when the server died.
    expect(back.timesAsked()).toEqual({
      ...Object.fromEntries(answerTexts(9).map((text) => [text.split(' ')[0], 1])),
      'item-4': 2,
    });
  });

  it('talked nonsense before it died: the next attempt does not ask for that answer again', async () => {
    const { judge, config, input, activities, judging } = await setUp(
      [
        { at: [1], does: 'say', text: 'What a nice picture!' },
        { at: [3], does: 'die' },
      ],
      { max_retries: 0 },
    );
    const asked = await input(config, llavabenchAnswers(answerTexts(4)));
    await expect(activities.judgeAnswers(asked)).rejects.toMatchObject({
      type: 'JudgeUnavailable',
    });

    const back = await startJudge({ like: judge });
    const { judgements, counts } = await activities.judgeAnswers(asked);

    expect(counts).toMatchObject({ judged: 3, missing: 1 });
    expect((await judging(judgements)).missing_by_reason).toEqual({ unreadable: 1 });
    expect(back.timesAsked()).toMatchObject({ 'item-0': 1, 'item-1': 1 });
  });

  it('stays down: after the last attempt what was not judged is missing, and is judged when it is up again', async () => {
    const { judge, config, input, activities, judging, score } = await setUp(
      [{ at: [4], does: 'die' }],
      { max_retries: 0, max_attempts: 2 },
    );
    const asked = await input(config, llavabenchAnswers(answerTexts(6)));
    await expect(activities.judgeAnswers(asked)).rejects.toMatchObject({
      type: 'JudgeUnavailable',
    });

    const last = new MockActivityEnvironment({ attempt: 2 });
    const { judgements, counts } = await last.run<[], Output, () => Promise<Output>>(() =>
      activities.judgeAnswers(asked),
    );

    expect(counts).toMatchObject({ judged: 3, missing: 3 });
    expect((await judging(judgements)).missing_by_reason).toEqual({ unavailable: 3 });
    const { items, unparsed } = await score(asked, judgements);
    expect(items).toHaveLength(3);
    expect(unparsed).toBe(3);

    const back = await startJudge({ like: judge });
    const later = await activities.judgeAnswers(asked);

    expect(later.counts).toMatchObject({ judged: 6, missing: 0, cached: 3 });
    expect(back.requests()).toHaveLength(4 + 3);
  });

  it('takes nothing as the config has it: the run ends with the words of the server', async () => {
    const { judge, config, input, activities } = await setUp([
      { at: 'all', does: 'fail', status: 400 },
    ]);

    const judging = activities.judgeAnswers(await input(config, mmvetAnswers(answerTexts(50))));

    await expect(judging).rejects.toMatchObject({ type: 'ConfigInvalid', nonRetryable: true });
    await expect(judging).rejects.toThrow(/out of order/);
    expect(judge.requests()).toHaveLength(5);
  });

  it('has another name: the run ends at once', async () => {
    const { config, input, activities } = await setUp([{ at: 'all', does: 'fail', status: 404 }]);

    await expect(
      activities.judgeAnswers(await input(config, mmvetAnswers(answerTexts(3)))),
    ).rejects.toMatchObject({ type: 'ConfigInvalid', nonRetryable: true });
  });
});

describe('a worker that is killed while it judges', () => {
  it('leaves what was judged: nothing is judged twice but what was under way', async () => {
    const num = 12;
    const { judge, config, workspace, input, activities } = await setUp(
      [{ at: [6], does: 'hang' }],
      {
        timeout_seconds: 60,
      },
    );
    const asked = await input(config, llavabenchAnswers(answerTexts(num)));
    const owner = spawn(
      process.execPath,
      ['--import', 'tsx', OWNER, workspace, JSON.stringify(asked)],
      { stdio: ['pipe', 'inherit', 'inherit'] },
    );
    await expect.poll(() => judge.requests().length, { timeout: 15_000 }).toBe(6);

    owner.kill('SIGKILL');
    await once(owner, 'exit');
    const { counts } = await activities.judgeAnswers(asked);

    expect(counts).toMatchObject({ judged: num, missing: 0 });
    expect(judge.requests()).toHaveLength(num + 1);
    expect(Object.values(judge.timesAsked()).filter((times) => times > 1)).toEqual([2]);
  });

  it('ends as cancelled, in the middle of a reply, when Temporal cancels it', async () => {
    const { judge, config, input, activities } = await setUp([{ at: [2], does: 'hang' }], {
      timeout_seconds: 60,
    });
    const asked = await input(config, mmvetAnswers(answerTexts(4)));
    const environment = new MockActivityEnvironment({ attempt: 1 });
    const failure = environment
      .run(() => activities.judgeAnswers(asked))
      .catch((error: unknown) => error);
    await expect.poll(() => judge.requests().length).toBe(2);

    environment.cancel('CANCELLED');

    expect(await failure).toBeInstanceOf(CancelledFailure);
  });
});

describe('a bad day', () => {
  it('costs time and no truth: every score is there, and each is what a calm day gives', async () => {
    const count = 40;
    const answers = llavabenchAnswers(answerTexts(count));
    const calm = await setUp();
    const expected = await calm.activities.judgeAnswers(await calm.input(calm.config, answers));
    const { judge, config, input, activities, values } = await setUp(
      [
        { at: [3, 21], does: 'too_many_requests', retry_after: 0.3 },
        { at: [5, 6, 30], does: 'fail', status: 502 },
        { at: [9], does: 'web_page' },
        { at: [12, 33], does: 'cut' },
        { at: [15], does: 'hang' },
        { at: [18], does: 'say', text: 'What a nice picture!' },
        { at: [24], does: 'refuse' },
        { at: [28], does: 'say', text: '8 1000000' },
      ],
      // Which answers meet the faults is chance; one may meet several.
      { max_parallel: 4, max_retries: 9 },
    );
    const asked = await input(config, answers);

    const first = await activities.judgeAnswers(asked);
    const second = await activities.judgeAnswers(asked);

    // Nonsense, refusal and a score beyond the scale are missing; all faults of transport are mended.
    expect(first.counts).toMatchObject({ judged: 37, missing: 3 });
    const calmValues = await calm.values(expected.judgements);
    for (const [item, value] of Object.entries(await values(first.judgements))) {
      expect([null, calmValues[item]]).toContainEqual(value);
    }
    expect(second.counts).toMatchObject({ judged: 40, missing: 0, cached: 37 });
    expect(await values(second.judgements)).toEqual(calmValues);
    // 40 judged, 9 asked again for faults of transport, 3 asked again by the second call.
    expect(judge.requests()).toHaveLength(52);
  });
});
