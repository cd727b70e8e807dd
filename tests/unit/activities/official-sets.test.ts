// Official benchmarks from a loader to scores.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { QuestionRecord } from '../../../contract/records.ts';
import { preparedBenchmark, scored } from './evaluated.ts';

describe('an official benchmark as an evaluation set', () => {
  it('keeps images, questions and what scores are made by; the user folder is not read again', async () => {
    const benchmark = await preparedBenchmark('scienceqa');
    const { deps, prepared, folder } = benchmark;

    await rm(folder, { recursive: true });
    const { scores } = await scored(benchmark, () => 'A');

    expect(prepared.counts).toMatchObject({ images: 2, questions: 6, text_questions: 2 });
    const withImage: boolean[] = [];
    for await (const { image_id } of deps.store.readLines(
      prepared.evaluation_set,
      'questions.jsonl',
      QuestionRecord,
    )) {
      withImage.push(image_id !== null);
    }
    expect(withImage).toEqual([true, true, true, true, false, false]);
    expect(scores.measures['accuracy']).toMatchObject({ value: 1, n: 6 });
  });

  it('asks each question once a mode, with the image or without, within the official limit', async () => {
    const { requests } = await scored(await preparedBenchmark('scienceqa'), () => 'A');

    // Two descriptions, six direct answers, six with the description in front.
    expect(requests.size).toBe(14);
    expect(requests.get('11/direct')).toMatchObject({ prompt: 'question 11', max_new_tokens: 8 });
    expect(requests.get('11/direct')?.image?.file).toMatch(/^files\/[0-9a-f]{64}\.png$/);
    expect(requests.get('15/direct')?.image).toBeNull();
    // Nothing to describe: asked as it is.
    expect(requests.get('15/dar')).toMatchObject({ prompt: 'question 15', image: null });
  });

  it('stores the full prompt, the description and the conditions it was measured under', async () => {
    const { items, scores, requests } = await scored(await preparedBenchmark('scienceqa'), (id) =>
      id.endsWith('/description') ? 'a red square' : 'A',
    );

    const item = items.find(({ item_id }) => item_id === '11/dar');
    expect(item).toMatchObject({
      question: 'question 11',
      prompt: 'Image description:\na red square\n\nquestion 11',
      description: 'a red square',
      text: 'A',
    });
    expect(item?.prompt).toBe(requests.get('11/dar')?.prompt);
    expect(scores.conditions).toMatchObject({ template_sha256: 'a template', judge: null });
  });

  it('describes with the image, or blindly as the released script does when that is asked for', async () => {
    const seeing = await scored(await preparedBenchmark('pope'), () => 'yes');
    const blind = await scored(
      await preparedBenchmark('pope', { describe_blind: true }),
      () => 'yes',
    );

    const images = ({ requests }: typeof seeing) =>
      [...requests.values()]
        .filter(({ request_id }) => request_id.endsWith('/description'))
        .map(({ image }) => image !== null);
    expect(images(seeing)).toEqual([true, true]);
    expect(images(blind)).toEqual([false, false]);
    expect(blind.requests.get('1/dar')?.image).not.toBeNull();
    expect(blind.scores.conditions?.describe_blind).toBe(true);
  });

  it('draws the same share of each type, and what is not asked is not scored as wrong', async () => {
    const drawn = await preparedBenchmark('scienceqa', { set: { max_questions: 3 } });

    const { scores } = await scored(drawn, () => 'A');

    // Four of six questions have an image, two have none: 2 and 1 of 3.
    expect(drawn.prepared.counts).toMatchObject({ questions: 3, text_questions: 1 });
    expect(scores.figures[0]?.official.metrics).toMatchObject({
      total: 3,
      correct: 3,
      img_total: 2,
      missing_predictions: 0,
    });
  });

  it('keeps the labels of POPE at the places of the questions that were drawn', async () => {
    const drawn = await preparedBenchmark('pope', { set: { max_questions: 4 } });

    const { scores, items } = await scored(drawn, () => 'no');

    expect(items).toHaveLength(8);
    expect(items.every(({ expected, score }) => (score === 1) === (expected === 'no'))).toBe(true);
    expect(scores.figures[0]?.official.metrics).toMatchObject({
      random: { samples: 2 },
      popular: { samples: 2 },
    });
  });

  it('says what the loader says when files are missing', async () => {
    await expect(preparedBenchmark('textvqa')).rejects.toMatchObject({
      code: 'DataInvalid',
      message: 'textvqa: Expected TextVQA_0.5.1_val.json here. Put it there.',
    });
  });
});

describe('scores of an official benchmark', () => {
  it('have the figures of both parsers, which differ where only a person reads the answer', async () => {
    const benchmark = await preparedBenchmark('scienceqa', { describe_and_respond: 'off' });

    // "(A)" is A to a person, and FAILED to LLaVA's script.
    const { scores, items } = await scored(benchmark, (id) => (id === '11/direct' ? '(A)' : 'A'));

    const [direct, ...others] = scores.figures;
    expect(others).toEqual([]);
    expect(direct).toMatchObject({ mode: 'direct', num_items: 6, num_judged: 6 });
    expect(direct?.official).toMatchObject({ unparsed: 1, metrics: { correct: 5 } });
    expect(direct?.robust).toMatchObject({ unparsed: 0, metrics: { correct: 6 } });
    expect(scores.num_unparsed).toBe(1);
    expect(scores.measures['accuracy']?.value).toBeCloseTo(5 / 6, 12);
    expect(scores.measures['accuracy/IMG']).toMatchObject({ value: 3 / 4, n: 4 });
    expect(items[0]).toMatchObject({ parsed: null, score: 0, robust_score: 1 });
  });

  it('lie beside the answers file that they were made from', async () => {
    const benchmark = await preparedBenchmark('mmbench', { describe_and_respond: 'off' });
    const hostile = 'A\tB\n"7"';

    const { ref, scores } = await scored(benchmark, (id) => (id === '7/direct' ? hostile : 'B'));

    const file = join(benchmark.deps.store.directory(ref), 'answers-direct.tsv');
    expect(await readFile(file, 'utf8')).toBe(
      'index\tprediction\n7\t"A\tB\n""7"""\n1000007\t"B"\n9\t"B"\n1000009\t"B"',
    );
    expect(scores.figures[0]?.answers_file).toBe('answers-direct.tsv');
  });

  it('count a question of MMBench once, with all its rotations', async () => {
    const benchmark = await preparedBenchmark('mmbench', { describe_and_respond: 'off' });

    // 7 is right both times round, 9 once only.
    const texts: Record<string, string> = { '7': 'A', '1000007': 'B', '9': 'A', '1000009': 'A' };
    const { scores, items } = await scored(benchmark, (id) => texts[id.split('/')[0] ?? ''] ?? '');

    expect(items.map(({ item_id, score }) => [item_id, score])).toEqual([
      ['7/direct', 1],
      ['9/direct', 0],
    ]);
    expect(scores.measures['accuracy']).toMatchObject({ value: 0.5, n: 2 });
    expect(scores.figures[0]?.official.metrics).toMatchObject({ circular: { Overall: 0.5 } });
  });

  it('have the mean F1 of POPE as eval_pope.py prints it, with an interval', async () => {
    const benchmark = await preparedBenchmark('pope', { describe_and_respond: 'off' });

    // Both categories ask for yes, no, no. Right about all of `random`; `popular` is all yes.
    const { scores } = await scored(benchmark, (id) => {
      const number = Number(id.split('/')[0]);
      return number === 2 || number === 3 ? 'no' : 'yes';
    });

    // F1 of random 1; of popular 2 * 1 / (2 * 1 + 2 false yes) = 1/2.
    expect(scores.measures['f1']).toMatchObject({ value: 0.75, n: 6 });
    const [figures] = scores.figures;
    expect(figures?.official.metrics).toMatchObject({ mean_f1_over_2: 0.75 });
  });

  it('are partial and no number while a judge is missing', async () => {
    const { scores, items } = await scored(await preparedBenchmark('mmvet'), () => 'a cat');

    expect(scores.figures.map(({ num_judged, num_items }) => [num_judged, num_items])).toEqual([
      [0, 2],
      [0, 2],
    ]);
    expect(scores.figures[0]?.official.metrics).toBeNull();
    expect(scores.measures).toEqual({});
    expect(items.every(({ score }) => score === null)).toBe(true);
    expect(items[0]?.text).toBe('a cat');
  });

  it('count once every answer is judged, under the name of the judge', async () => {
    const grades = { v1_0: 0.5, v1_1: 1 };
    const judged = await preparedBenchmark('mmvet', { grades });

    const { scores, items } = await scored(judged, () => 'a cat');

    expect(scores.figures).toMatchObject([
      { mode: 'direct', num_judged: 2, num_items: 2 },
      { mode: 'dar', num_judged: 2, num_items: 2 },
    ]);
    expect(scores.figures[0]?.official.metrics).toMatchObject({ cap_score: { total: 75 } });
    expect(scores.measures['accuracy']).toMatchObject({ value: 0.75, n: 2 });
    expect(scores.conditions?.judge).toContain('gpt-4-0613');
    expect(items[0]).toMatchObject({ item_id: 'v1_0/direct', score: 0.5 });
  });

  it('stay partial while the judge has read some of the answers only', async () => {
    const judged = await preparedBenchmark('mmvet', { grades: { v1_0: 0.5 } });

    const { scores } = await scored(judged, () => 'a cat');

    expect(scores.figures[0]).toMatchObject({
      num_judged: 1,
      num_items: 2,
      official: { metrics: null },
    });
    expect(scores.measures).toEqual({});
  });
});
