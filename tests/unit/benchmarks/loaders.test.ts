import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BenchmarkAnswer, LoadedBenchmark } from '../../../benchmarks/loader.ts';
import { LOADERS } from '../../../benchmarks/loaders.ts';
import { type BenchmarkScore, ScoreInputError } from '../../../benchmarks/scorer.ts';
import { SCORERS } from '../../../benchmarks/scorers.ts';
import { picture } from './layouts/files.ts';
import {
  BENCHMARKS,
  type BenchmarkName,
  expectedOf,
  LAYOUTS,
  load,
  writeLayout,
} from './layouts/sets.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sticflow-load-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Writes what the benchmark gives, as a user would find it, and scores that. */
async function score(
  benchmark: BenchmarkName,
  loaded: LoadedBenchmark,
  answers: readonly BenchmarkAnswer[],
): Promise<BenchmarkScore> {
  const data = join(folder, 'scoring');
  await mkdir(data, { recursive: true });
  const { judgements } = expectedOf(benchmark);
  for (const [name, text] of loaded.scoringData) {
    await mkdir(dirname(join(data, name)), { recursive: true });
    await writeFile(join(data, name), text);
  }
  const extension = ['mmvet', 'mathvista'].includes(benchmark) ? 'json' : 'jsonl';
  const files = {
    data,
    answers: join(folder, `answers.${extension}`),
    judgements: judgements === undefined ? null : join(folder, 'judgements'),
    parser: 'official' as const,
  };
  await writeFile(files.answers, loaded.answersFile(answers));
  if (files.judgements !== null) await writeFile(files.judgements, judgements ?? '');
  const scorer = SCORERS[benchmark];
  if (scorer === undefined) throw new Error(`no scorer of ${benchmark}`);
  return scorer(files);
}

const answersTo = (
  benchmark: BenchmarkName,
  prompt: (asked: string) => string = (asked) => asked,
): BenchmarkAnswer[] =>
  expectedOf(benchmark).questions.map(([question_id, , , , text, asked]) => ({
    question_id,
    prompt: prompt(asked),
    text,
  }));

const byId = (a: { item_id: string }, b: { item_id: string }): number =>
  Number(a.item_id > b.item_id) - Number(a.item_id < b.item_id);

describe.each(BENCHMARKS)('%s', (benchmark) => {
  const expected = expectedOf(benchmark);

  it.each(LAYOUTS)('is asked in the official words, whatever the layout: %s', async (layout) => {
    await writeLayout(folder, benchmark, layout);

    const { questions } = await load(benchmark, folder);

    const asked = questions.map(({ image: _, ...question }) => question);
    expect(asked).toEqual(
      expected.questions.map(([question_id, , question_type, answer, , prompt]) => ({
        question_id,
        prompt,
        question_type,
        answer,
        max_new_tokens: expected.max_new_tokens,
      })),
    );
    const images = await Promise.all(
      questions.map(async ({ image }) => (await image?.read()) ?? null),
    );
    expect(images.map((bytes) => bytes && Buffer.from(bytes).toString())).toEqual(
      expected.questions.map(([, name]) => name && picture(name).toString()),
    );
    // The same name, the same bytes.
    const contents = questions.map(({ image }, index) => [image?.name, images[index]] as const);
    for (const [name, bytes] of contents) expect(new Map(contents).get(name)).toEqual(bytes);
  });

  it.each(LAYOUTS)('gives the scorer what it needs: %s', async (layout) => {
    await writeLayout(folder, benchmark, layout);
    const loaded = await load(benchmark, folder);

    const { metrics, unparsed, items } = await score(benchmark, loaded, answersTo(benchmark));

    expect(metrics).toMatchObject(expected.metrics);
    expect(unparsed).toBe(expected.unparsed);
    const rounded = items.map((item) => ({
      ...item,
      score: item.score === null ? null : Number(item.score.toFixed(9)),
    }));
    const wanted = expected.items.map(([item_id, parsed, score]) => ({ item_id, parsed, score }));
    expect(rounded.toSorted(byId)).toEqual(wanted.toSorted(byId));
    const ids = loaded.questions.map(({ question_id }) => question_id);
    expect(ids).toEqual(expect.arrayContaining(items.map(({ item_id }) => item_id)));
  });

  it('scores the same when a description stood before the question, and answers came in disorder', async () => {
    await writeLayout(folder, benchmark, 'official');
    const loaded = await load(benchmark, folder);
    const described = answersTo(
      benchmark,
      (prompt) => `Image description:\nA square.\nIt is red.\n\n${prompt}`,
    );

    const { metrics } = await score(benchmark, loaded, described.toReversed());

    expect(metrics).toMatchObject(expected.metrics);
  });

  it('is found in its folder below playground/data/eval', async () => {
    const spelling = { mmvet: 'mm-vet', llavabench: 'llava-bench-in-the-wild' };
    const name = Object.entries(spelling).find(([key]) => key === benchmark)?.[1] ?? benchmark;
    await writeLayout(join(folder, name), benchmark, 'official');

    const { questions } = await load(benchmark, folder);

    expect(questions).toHaveLength(expected.questions.length);
  });

  it('says what to put where when nothing is there', async () => {
    const nothing = load(benchmark, folder);
    await expect(nothing).rejects.toThrow(ScoreInputError);
    await expect(nothing).rejects.toThrow(
      /^Expected .* in .*; found nothing\. Put there .*\.tsv.*parquet/,
    );
    await expect(load(benchmark, join(folder, 'nowhere'))).rejects.toThrow(
      /^Expected a folder .*nowhere.*Put there/,
    );
  });

  it('refuses two layouts in one folder', async () => {
    await writeLayout(folder, benchmark, 'tsv');
    await writeLayout(folder, benchmark, 'parquet');

    await expect(load(benchmark, folder)).rejects.toThrow(
      /^Expected one set of .* Name the folder/,
    );
  });

  it('no answer text changes the score of another, or breaks the file', async () => {
    await writeLayout(folder, benchmark, 'official');
    const loaded = await load(benchmark, folder);
    const plain = answersTo(benchmark);
    // Of MMBench the last rotation of its second question, 1000252, whose group is 252.
    const last = plain.at(-1);
    const before = await score(benchmark, loaded, plain);
    const hostile = fc.oneof(
      fc.constantFrom('', '\u2028\u2029', '\ud800', '"\t"\n', '\r\n', '__proto__', '<image>', '\0'),
      fc.string({ unit: 'binary', maxLength: 40 }),
    );
    await fc.assert(
      fc.asyncProperty(hostile, async (text) => {
        const answers = plain.map((answer, at) =>
          at === plain.length - 1 ? { ...answer, text } : answer,
        );

        const { items } = await score(benchmark, loaded, answers);

        expect(items).toHaveLength(before.items.length);
        const changed = items.filter((item, at) => !isDeepStrictEqual(item, before.items[at]));
        expect(changed.length).toBeLessThanOrEqual(1);
        for (const { item_id } of changed) expect(last?.question_id).toContain(item_id);
      }),
      { numRuns: 25 },
    );
  });

  it('refuses an answer to no question and two to one', async () => {
    await writeLayout(folder, benchmark, 'official');
    const { answersFile } = await load(benchmark, folder);
    const answers = answersTo(benchmark);
    const [first] = answers;
    if (first === undefined) throw new Error('no answer');

    expect(() => answersFile([...answers, first])).toThrow(/^Expected at most one answer/);
    expect(() => answersFile([{ ...first, question_id: 'x' }])).toThrow(ScoreInputError);
    expect(() => answersFile([first])).not.toThrow();
  });
});

it('there is a loader for each scorer', () => {
  expect(Object.keys(LOADERS).sort()).toEqual(Object.keys(SCORERS).sort());
});
