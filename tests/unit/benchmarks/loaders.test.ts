import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BenchmarkAnswer, LoadedBenchmark } from '../../../benchmarks/loader.ts';
import { LOADERS } from '../../../benchmarks/loaders.ts';
import { type BenchmarkScore, ScoreInputError } from '../../../benchmarks/scorer.ts';
import { SCORERS } from '../../../benchmarks/scorers.ts';
import { picture, writeFiles } from './layouts/files.ts';
import {
  BENCHMARKS,
  type BenchmarkName,
  expectedOf,
  LAYOUTS,
  type LayoutName,
  writeLayout,
} from './layouts/sets.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sticflow-load-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

function load(benchmark: BenchmarkName, path: string): Promise<LoadedBenchmark> {
  const loader = LOADERS[benchmark];
  if (loader === undefined) throw new Error(`no loader of ${benchmark}`);
  return loader(path);
}

/** Writes what the benchmark gives, as a user would find it, and scores that. */
async function score(
  benchmark: BenchmarkName,
  loaded: LoadedBenchmark,
  answers: readonly BenchmarkAnswer[],
): Promise<BenchmarkScore> {
  const data = join(folder, 'scoring');
  await mkdir(data);
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

describe('missing and foreign files', () => {
  it.each([
    [
      'scienceqa',
      'images/test/0/image.png',
      /^Expected 2 pictures below .*1 are not there: images\/test\/0\/image\.png\. Unpack test\.zip/,
    ],
    ['textvqa', 'train_images/img1.jpg', /train_val_images\.zip/],
    ['chartqa', 'png/two.png', /folder png/],
    ['llavabench', 'images/002.jpg', /pictures of LLaVA-Bench/],
    ['mmvet', 'images/v1_2.png', /mm-vet\.zip/],
    ['mathvista', 'images/3.jpg', /images\.zip/],
    ['pope', 'val2014/COCO_val2014_000000000002.jpg', /val2014\.zip/],
    ['chair', 'val2014/COCO_val2014_000000000042.jpg', /val2014\.zip/],
  ] as const)('%s says where %s comes from', async (benchmark, file, message) => {
    await writeLayout(folder, benchmark, 'official');
    await rm(join(folder, file));

    await expect(load(benchmark, folder)).rejects.toThrow(message);
  });

  it.each([
    ['../outside.png'],
    ['/etc/hostname'],
    ['a/../../outside.png'],
    ['..\\outside.png'],
    ['leads-out.png'],
  ])('a picture named %s is not read', async (name) => {
    const data = join(folder, 'mm-vet');
    await writeFiles(folder, { 'outside.png': 'secret', 'mm-vet/images/in.png': 'x' });
    await symlink(join(folder, 'outside.png'), join(data, 'images', 'leads-out.png'));
    const question = { imagename: name, question: 'What?', answer: 'x', capability: ['rec'] };
    await writeFiles(data, { 'mm-vet.json': JSON.stringify({ v1_0: question }) });

    await expect(load('mmvet', data)).rejects.toThrow(
      /^Expected a picture's file below .*links may not lead out/,
    );
  });

  it('a missing part of a split is named', async () => {
    await writeLayout(folder, 'textvqa', 'parquet');
    await rm(join(folder, 'data', 'validation-00001-of-00002.parquet'));

    await expect(load('textvqa', folder)).rejects.toThrow(/^Expected 2 parts of validation-00000/);
  });

  it('label files of another version of POPE are refused before a question is asked', async () => {
    await writeLayout(folder, 'pope', 'official');
    const label = { image: 'other.jpg', text: 'Is there a dog in the image?', label: 'yes' };
    await writeFiles(folder, { 'coco/coco_pope_random.json': JSON.stringify(label) });

    await expect(load('pope', folder)).rejects.toThrow(/2,910 random questions/);
  });

  it('MMBench without answers is told from dev', async () => {
    await writeFiles(folder, {
      'mmbench_dev.tsv': 'index\tquestion\tA\tB\n1\tWhich?\tred\tgreen\n',
    });

    await expect(load('mmbench', folder)).rejects.toThrow(ScoreInputError);
  });

  it.each([
    ['scienceqa', 'tsv'],
    ['textvqa', 'official'],
    ['mathvista', 'parquet'],
  ] as [BenchmarkName, LayoutName][])(
    'files of another benchmark in the place of %s are refused, not half read',
    async (benchmark, layout) => {
      const other = benchmark === 'mathvista' ? 'chartqa' : 'pope';
      await writeLayout(folder, other, layout);

      await expect(load(benchmark, folder)).rejects.toThrow(ScoreInputError);
    },
  );
});

it("VLMEvalKit's own TextVQA table has neither OCR tokens nor image ids, and says so", async () => {
  const answers = JSON.stringify(Array.from({ length: 10 }, () => 'red'));
  const image = picture('red').toString('base64');
  await writeFiles(folder, {
    'TextVQA_VAL.tsv': `index\timage\tquestion\tanswer\n5\t${image}\tis it red?\t"${answers.replaceAll('"', '""')}"\n6\t5\tis it?\t"${answers.replaceAll('"', '""')}"\n`,
  });

  const { questions } = await load('textvqa', folder);

  expect(questions.map(({ prompt }) => prompt)).toEqual([
    'Is it red?\nAnswer the question using a single word or phrase.',
    'Is it?\nAnswer the question using a single word or phrase.',
  ]);
  expect(questions.map(({ question_type }) => question_type)).toEqual([
    'without_ocr',
    'without_ocr',
  ]);
  expect(questions.map(({ image: shared }) => shared?.name)).toEqual(['5', '5']);
});

it('there is a loader for each scorer', () => {
  expect(Object.keys(LOADERS).sort()).toEqual(Object.keys(SCORERS).sort());
});
