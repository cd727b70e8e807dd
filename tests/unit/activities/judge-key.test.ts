import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import { describe, expect, it, vi } from 'vitest';
import { resolveSecret } from '../../../activities/secret.ts';
import { JudgeConfig } from '../../../contract/config-judge.ts';
import { endpointsDir } from '../../../store/layout.ts';
import { registerSource } from '../../../store/sources.ts';
import { temporaryDirectory } from '../store/temporary.ts';
import { answerTexts, llavabenchAnswers } from './judge-answers.ts';
import { type Fault, judgeWorkspace, startJudge } from './judge-workspace.ts';

/** Nothing else in the world has this text. */
const CANARY = 'sk-canary-5f1d9a77c3';

async function setUp({ faults = [] as readonly Fault[], key = CANARY } = {}) {
  vi.stubEnv('TEST_JUDGE_KEY', CANARY);
  const judge = await startJudge({ faults, key });
  const workspace = await judgeWorkspace();
  const config = {
    ...{ kind: 'openai', base_url: judge.url, model: 'judge-1', api_key: 'env:TEST_JUDGE_KEY' },
    ...{ max_parallel: 1, max_retries: 0, max_attempts: 1 },
  };
  return { judge, config, ...workspace };
}

/** What Temporal would write into the history for a failure. */
function inHistory(error: unknown): string {
  const failure = defaultFailureConverter.errorToFailure(error, defaultPayloadConverter);
  return JSON.stringify(failure, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value,
  );
}

/** Files of the workspace that hold the key. */
function leaks(workspace: string): string {
  try {
    return execFileSync('grep', ['-rlF', CANARY, workspace], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

describe('the key of a judge', () => {
  it('opens the server, and is in no artifact, cache or work file, even when the judge repeats it', async () => {
    const { config, input, activities, workspace, judgements } = await setUp({
      faults: [{ at: [2], does: 'echo_key_in_reply' }],
    });

    const output = await activities.judgeAnswers(
      await input(config, llavabenchAnswers(answerTexts(3))),
    );

    expect(output.counts).toMatchObject({ judged: 3 });
    expect((await judgements(output.judgements))[1]?.text).toBe('8 7\nYou sent Bearer [key]');
    expect(leaks(workspace)).toBe('');
    expect(JSON.stringify(output)).not.toContain(CANARY);
  });

  it('is in no failure, even when the server repeats it', async () => {
    const { config, input, activities, workspace } = await setUp({
      faults: [{ at: [2], does: 'echo_key' }],
    });
    const asked = await input(config, llavabenchAnswers(answerTexts(3)));

    const failure: unknown = await activities.judgeAnswers(asked).catch((error: unknown) => error);

    expect(failure).toMatchObject({ type: 'JudgeKeyRejected', nonRetryable: true });
    expect(inHistory(failure)).toContain('this key is bad: Bearer [key]');
    expect(inHistory(failure)).not.toContain(CANARY);
    expect(leaks(workspace)).toBe('');
  });

  it('that is revoked ends the judging with the remedy; a new one goes on where it ended', async () => {
    const { judge, config, input, activities } = await setUp({
      faults: [{ at: [3], does: 'fail', status: 401 }],
    });
    const asked = await input(config, llavabenchAnswers(answerTexts(5)));

    await expect(activities.judgeAnswers(asked)).rejects.toMatchObject({
      type: 'JudgeKeyRejected',
      nonRetryable: true,
      message: expect.stringMatching(/env:TEST_JUDGE_KEY.*401.*Put a valid key.*kept/s) as string,
    });
    const { counts } = await activities.judgeAnswers(asked);

    expect(counts).toMatchObject({ judged: 5 });
    expect(judge.requests()).toHaveLength(6);
  });

  it('without credit ends the judging too, though the server says "too many requests"', async () => {
    const { judge, config, input, activities } = await setUp({
      faults: [{ at: 'all', does: 'no_credit' }],
    });

    await expect(
      activities.judgeAnswers(await input(config, llavabenchAnswers(answerTexts(3)))),
    ).rejects.toMatchObject({ type: 'JudgeKeyRejected', nonRetryable: true });
    expect(judge.requests()).toHaveLength(1);
  });

  it('is not carried to where the server redirects', async () => {
    const elsewhere = await startJudge();
    const { config, input, activities } = await setUp({
      faults: [{ at: 'all', does: 'redirect', to: `${elsewhere.url}/chat/completions` }],
    });

    const { counts } = await activities.judgeAnswers(
      await input(config, llavabenchAnswers(answerTexts(2))),
    );

    expect(counts).toMatchObject({ judged: 0, missing: 2 });
    expect(elsewhere.requests()).toEqual([]);
  });

  it('that the worker does not have is named, never guessed', async () => {
    const { config, input, activities } = await setUp();
    const asked = await input(
      { ...config, api_key: 'env:ANOTHER_JUDGE_KEY' },
      llavabenchAnswers(answerTexts(1)),
    );

    await expect(activities.judgeAnswers(asked)).rejects.toMatchObject({
      type: 'SecretMissing',
      nonRetryable: true,
      message: expect.stringContaining(
        'Set ANOTHER_JUDGE_KEY where the CPU worker starts',
      ) as string,
    });
  });

  it('goes to no address that a person of the workspace has not named with it', async () => {
    const { judge, config, input, activities, workspace } = await setUp();
    const asked = await input(config, llavabenchAnswers(answerTexts(1)));
    // A run that somebody else started names an address of their choosing.
    rmSync(endpointsDir(workspace), { recursive: true });

    await expect(activities.judgeAnswers(asked)).rejects.toMatchObject({
      type: 'SourceNotFound',
      nonRetryable: true,
    });
    expect(judge.requests()).toEqual([]);
  });

  it('is not sent where none is wanted', async () => {
    const { config, input, activities } = await setUp();
    const open = await startJudge();

    await activities.judgeAnswers(
      await input(
        { ...config, base_url: open.url, api_key: null },
        llavabenchAnswers(answerTexts(1)),
      ),
    );

    expect(open.requests().map(({ authorization }) => authorization)).toEqual(['none']);
  });
});

describe('a key in a file', () => {
  async function keyFile() {
    const workspace = await temporaryDirectory();
    const file = join(workspace, 'key');
    writeFileSync(file, `${CANARY}\n`, { mode: 0o600 });
    return { workspace, file, ref: await registerSource(workspace, file) };
  }

  it('is read when only its owner may, and is one word', async () => {
    const { workspace, ref } = await keyFile();

    expect(await resolveSecret(workspace, ref)).toBe(CANARY);
  });

  it('that nobody registered is not opened', async () => {
    const { ref } = await keyFile();

    await expect(resolveSecret(await temporaryDirectory(), ref)).rejects.toMatchObject({
      code: 'SourceNotFound',
    });
  });

  it.each([
    ['others may read it', 0o644, CANARY, /other users may read it. Run chmod 600/],
    ['it has lines', 0o600, 'root:x:0:0\nbin:x:1:1\n', /more than one word/],
    ['it is empty', 0o600, '', /there is none on this worker. Put the key there/],
    ['it is large', 0o600, 'x'.repeat(5000), /no small file/],
  ])('is refused when %s, without a word of it', async (_, mode, content, message) => {
    const { workspace, file, ref } = await keyFile();
    writeFileSync(file, content);
    chmodSync(file, mode);

    const reading = resolveSecret(workspace, ref);

    await expect(reading).rejects.toMatchObject({ code: 'SecretMissing' });
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.not.toThrow(CANARY);
  });
});

describe('a judge config', () => {
  const config = { kind: 'openai', model: 'judge-1' };

  it.each([
    ['a key itself', { api_key: CANARY }, 'api_key'],
    ['a key over plain http to another machine', { base_url: 'http://example.com/v1' }, 'base_url'],
    ['a password in the address', { base_url: 'https://me:word@example.com/v1' }, 'base_url'],
    ['a file as address', { base_url: 'file:///etc/passwd' }, 'base_url'],
    ['a cap on money without prices', { spending: { max_money: 3 } }, 'spending.prices'],
  ])('refuses %s', (_, knobs, place) => {
    const parsed = JudgeConfig.safeParse({ ...config, ...knobs });

    expect(parsed.error?.issues.map(({ path }) => path.join('.'))).toEqual([place]);
  });

  it('takes plain http on this machine, and elsewhere without a key', () => {
    expect(JudgeConfig.safeParse({ ...config, base_url: 'http://localhost:8000/v1' }).success).toBe(
      true,
    );
    expect(
      JudgeConfig.safeParse({ ...config, base_url: 'http://gpu-7:8000/v1', api_key: null }).success,
    ).toBe(true);
  });
});
