/** What the loaders say to files that are missing, broken, of something else, or hostile. */
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ScoreInputError } from '../../../benchmarks/scorer.ts';
import { picture, writeFiles } from './layouts/files.ts';
import { type BenchmarkName, type LayoutName, load, writeLayout } from './layouts/sets.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sticflow-load-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
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

  it('tables of other splits and languages of MMBench beside it do not matter', async () => {
    await writeLayout(folder, 'mmbench', 'tsv');
    const others = [
      'MMBench_DEV_CN',
      'MMBench_TEST_EN',
      'MMBench_TEST_CN_V11',
      'MMBench_DEV_EN_local',
    ];
    for (const name of [...others, 'mmbench_dev_cn_20231003']) {
      await writeFiles(folder, { [`${name}.tsv`]: 'index\n1\n' });
    }

    expect((await load('mmbench', folder)).questions).toHaveLength(4);
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
