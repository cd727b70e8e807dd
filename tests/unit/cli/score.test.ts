import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT } from '../../../cli/exit-codes.ts';
import { runCli } from '../../../cli/program.ts';

/** What a call of the program printed and returned. */
interface Called {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

async function sticflow(...args: string[]): Promise<Called> {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written) => ({
    write(text: string) {
      written[name] += text;
    },
  });
  const io = { stdout: stream('stdout'), stderr: stream('stderr'), env: {} };
  const exitCode = await runCli(args, io, new AbortController().signal);
  return { ...written, exitCode };
}

describe('sticflow score', () => {
  let folder: string;
  let answers: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sticflow-score-'));
    answers = join(folder, 'answers.jsonl');
    const rows = [
      { target: '14', prediction: '14' },
      { target: '20', prediction: 'The answer is 20.' },
      { target: '3', prediction: '' },
    ];
    await writeFile(answers, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it('prints one JSON document with metrics, unparsed and number of items', async () => {
    const { stdout, exitCode } = await sticflow(
      'score',
      'chartqa',
      '--data',
      folder,
      '--answers',
      answers,
      '--json',
    );

    expect(exitCode).toBe(EXIT.done);
    expect(JSON.parse(stdout)).toEqual({
      benchmark: 'chartqa',
      parser: 'official',
      metrics: { n: 3, correct: 1, accuracy: 1 / 3 },
      unparsed: 1,
      items: 3,
    });
  });

  it('shows both parsers side by side where they differ', async () => {
    const { stdout } = await sticflow('score', 'chartqa', '--data', folder, '--answers', answers);

    expect(stdout).toMatch(/official\s+robust/);
    expect(stdout).toMatch(/^correct\s+1\s+2\s*$/m);
    expect(stdout).toMatch(/^unparsed\s+1\s*$/m);
  });

  it('scores with the robust parser alone when it is named', async () => {
    const { stdout } = await sticflow(
      'score',
      'chartqa',
      '--data',
      folder,
      '--answers',
      answers,
      '--parser',
      'robust',
      '--json',
    );

    expect(JSON.parse(stdout)).toMatchObject({ parser: 'robust', metrics: { correct: 2 } });
  });

  it('names the benchmarks when it does not know one', async () => {
    const { stderr, exitCode } = await sticflow(
      'score',
      'vqa',
      '--data',
      folder,
      '--answers',
      answers,
    );

    expect(exitCode).toBe(EXIT.usage);
    expect(stderr).toContain('Expected BENCHMARK to be one of scienceqa, textvqa,');
    expect(stderr).toContain('got "vqa"');
  });

  it('names the line of an answers file that it cannot read', async () => {
    await writeFile(answers, '{"target": "1", "prediction": "1"}\nnonsense\n');

    const { stderr, exitCode } = await sticflow(
      'score',
      'chartqa',
      '--data',
      folder,
      '--answers',
      answers,
    );

    expect(exitCode).toBe(EXIT.usage);
    expect(stderr).toContain('answers.jsonl:2');
  });

  it('asks for the judgements of a benchmark that needs a judge', async () => {
    const { stderr, exitCode } = await sticflow(
      'score',
      'mmvet',
      '--data',
      folder,
      '--answers',
      answers,
    );

    expect(exitCode).toBe(EXIT.usage);
    expect(stderr).toContain('Expected --judgements');
  });
});
