/** Prompts against the logged ones of real runs, where the parity data has them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadMathvista } from '../../../benchmarks/mathvista-loader.ts';
import { mathvistaQuery, precisionOfQuery } from '../../../benchmarks/mathvista-query.ts';
import { popePrompt } from '../../../benchmarks/pope-loader.ts';
import { scienceqaPrompt } from '../../../benchmarks/scienceqa-loader.ts';
import { scoreTextvqa } from '../../../benchmarks/textvqa.ts';
import { loadTextvqa, textvqaPrompt } from '../../../benchmarks/textvqa-loader.ts';
import {
  isParityDataThere,
  NO_PARITY_DATA,
  parityJson,
  parityLines,
} from '../../../scripts/parity/files.ts';
import { picture, writeFiles } from './layouts/files.ts';

/** Left out only outside CI, and never in silence. */
function withoutData(): boolean {
  if (isParityDataThere()) return false;
  if (process.env['CI'] !== undefined) throw new Error(NO_PARITY_DATA);
  process.stderr.write(`SKIPPED: prompts of real runs. ${NO_PARITY_DATA}\n`);
  return true;
}

interface Logged {
  readonly question_id: string | number;
  readonly prompt: string;
}

describe.skipIf(withoutData())('rendered prompts equal those that real runs logged', () => {
  it('ScienceQA: all 4,241', () => {
    type Problem = { question: string; choices: string[]; image: string | null };
    const problems = parityJson<Problem>('scienceqa', 'problems.json');
    const logged = parityLines<Logged>('scienceqa', 'predictions', 'llava-v1.5-13b.jsonl');

    const rendered = logged.map(({ question_id }) => {
      const problem = problems[question_id];
      if (problem === undefined) throw new Error(`no problem ${question_id}`);
      const prompt = scienceqaPrompt({ ...problem, hint: '' });
      return problem.image === null ? prompt : `<image>\n${prompt}`;
    });

    expect(rendered).toHaveLength(4241);
    expect(rendered).toEqual(logged.map(({ prompt }) => prompt));
  });

  it('POPE: all questions of the label files', () => {
    const logged = parityLines<Logged>('pope', 'answers', 'llava-v1.5-13b.jsonl');
    const asked = ['adversarial', 'random', 'popular'].flatMap((category) =>
      parityLines<{ text: string }>('pope', 'coco', `coco_pope_${category}.json`),
    );

    expect(asked.map(({ text }) => popePrompt(text))).toEqual(logged.map(({ prompt }) => prompt));
  });

  it('TextVQA: the first 30, with the OCR tokens that were logged', () => {
    const logged = parityLines<Logged>('textvqa', 'answers', 'llava-v1.5-13b.jsonl');
    const { data } = parityJson<{ question: string }[]>('textvqa', 'TextVQA_val_first30.json');

    const rendered = logged.map(({ prompt }, index) => {
      const [, tokens = ''] = prompt.split('\n');
      const names = tokens.replace('Reference OCR token: ', '').split(', ');
      return textvqaPrompt(data?.[index]?.question ?? '', names);
    });

    expect(rendered).toHaveLength(30);
    expect(rendered).toEqual(logged.map(({ prompt }) => prompt));
  });

  it('TextVQA: the real annotations load, and score with the real answers as published', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sticflow-prompts-'));
    const { data } = parityJson<{ image_id: string }[]>('textvqa', 'TextVQA_val_first30.json');
    const names = (data ?? []).map(({ image_id }) => [
      `train_images/${image_id}.jpg`,
      picture('red'),
    ]);
    await writeFiles(folder, {
      'TextVQA_0.5.1_val.json': JSON.stringify({ data }),
      ...(Object.fromEntries(names) as Record<string, Buffer>), // Pairs of the line before.
    });

    const { questions, scoringData, answersFile } = await loadTextvqa(folder);

    const logged = parityLines<{ text: string }>('textvqa', 'answers', 'llava-v1.5-13b.jsonl');
    const answers = questions.map(({ question_id, prompt }, index) => {
      return { question_id, prompt, text: logged[index]?.text ?? '' };
    });
    await writeFiles(join(folder, 'scoring'), Object.fromEntries(scoringData));
    await writeFiles(folder, { 'answers.jsonl': answersFile(answers) });
    const { metrics } = await scoreTextvqa({
      data: join(folder, 'scoring'),
      answers: join(folder, 'answers.jsonl'),
      judgements: null,
      parser: 'official',
    });
    type Models = Record<string, { accuracy: number }>;
    const { models } = parityJson<Models>('textvqa', 'expected.json');
    expect(questions).toHaveLength(30);
    expect(metrics['accuracy']).toBe(models?.['llava-v1.5-13b']?.accuracy);
    await rm(folder, { recursive: true });
  });

  describe('MathVista: all 150 queries of the data set', () => {
    type Case = Parameters<typeof mathvistaQuery>[0] & { pid: string; query: string };
    const cases = isParityDataThere() ? parityLines<Case>('mathvista', 'query_cases.jsonl') : [];
    const hasPlaceholders = ({ question }: Case): boolean => /N_\d/.test(question);
    const isReordered = ({ pid }: Case): boolean => pid === '99';

    it('of which 139 follow from question, choices, unit and form', () => {
      const plain = cases.filter((one) => !hasPlaceholders(one) && !isReordered(one));

      expect(plain).toHaveLength(139);
      expect(plain.map((one) => mathvistaQuery(one, ''))).toEqual(plain.map(({ query }) => query));
    });

    it('10 have numbers where the question has placeholders, and one other choices first', () => {
      const filled = cases.filter(hasPlaceholders);
      const lines = (text: string): string[] =>
        text.split('\n').map((line) => line.replace(/^\([A-E]\)/, ''));

      expect(filled).toHaveLength(10);
      for (const one of filled) {
        const [rendered, query] = [mathvistaQuery(one, ''), one.query].map((text) =>
          text.replaceAll(/N_\d|\d+\.\d+/g, '#'),
        );
        expect(rendered).toBe(query);
      }
      const [reordered] = cases.filter(isReordered);
      if (reordered === undefined) throw new Error('no problem 99');
      expect(lines(mathvistaQuery(reordered, '')).sort()).toEqual(lines(reordered.query).sort());
    });

    it('so the query of the data is asked wherever the data have it', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'sticflow-prompts-'));
      const problems = cases.map((one) => [
        one.pid,
        { ...one, image: 'images/1.jpg', answer: '1', metadata: { skills: [] } },
      ]);
      await writeFiles(folder, {
        'testmini.json': JSON.stringify(Object.fromEntries(problems)),
        'images/1.jpg': picture('red'),
      });

      const { questions } = await loadMathvista(folder);

      const queryOf = new Map(cases.map(({ pid, query }) => [pid, query]));
      expect(questions).toHaveLength(150);
      for (const { question_id, prompt } of questions)
        expect(prompt).toBe(queryOf.get(question_id));
      await rm(folder, { recursive: true });
    });

    it('and each names the decimal places of a float', () => {
      for (const { query, precision } of cases) expect(precisionOfQuery(query)).toBe(precision);
    });
  });
});

describe('prompts of forms that the data has not', () => {
  it.each([
    [null, 'Is it red?\nAnswer the question using a single word or phrase.'],
    [[], 'Is it red?\nReference OCR token: \nAnswer the question using a single word or phrase.'],
    [
      ['A\nB', 'C'],
      'Is it red?\nReference OCR token: A B, C\nAnswer the question using a single word or phrase.',
    ],
  ])('TextVQA with OCR tokens %j', (tokens, prompt) => {
    expect(textvqaPrompt('is it\n red?', tokens)).toBe(prompt);
  });

  it('MathVista: a list, and a form that is none', () => {
    const question = {
      question: 'Which years?',
      choices: null,
      unit: '',
      precision: null,
      question_type: 'free_form',
    };

    expect(mathvistaQuery({ ...question, answer_type: 'list' }, 'here')).toBe(
      'Hint: Please answer the question requiring a Python list as an answer and provide the final list, e.g., [1, 2, 3], [1.2, 1.3, 1.4], at the end.\nQuestion: Which years?',
    );
    expect(() => mathvistaQuery({ ...question, answer_type: 'float' }, 'here')).toThrow(
      /answer_type "float" and precision nothing of here/,
    );
  });
});
