/** Small benchmarks with answers to be judged, as the artifact of answers has them. */
import type { JudgedBenchmark } from '../../../contract/config-judge.ts';
import { canonicalJson } from '../../../store/canonical.ts';

export interface AnswerFiles {
  readonly benchmark: JudgedBenchmark;
  readonly answers_file: string;
  readonly files: Readonly<Record<string, string>>;
}

const lines = (rows: readonly unknown[]): string =>
  rows.map((row) => `${canonicalJson(row)}\n`).join('');

/** Answers that name themselves, so that the journal of the fake judge can count them. */
export function answerTexts(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `item-${String(index)} is a cat`);
}

export function mmvetAnswers(texts: readonly string[]): AnswerFiles {
  const ids = texts.map((_, index) => `v1_${String(index)}`);
  const question = { question: 'What?', answer: 'a cat', capability: ['rec'] };
  return {
    benchmark: 'mmvet',
    answers_file: 'answers.json',
    files: {
      'answers.json': canonicalJson(Object.fromEntries(ids.map((id, at) => [id, texts[at]]))),
      'scoring/mm-vet.json': canonicalJson(Object.fromEntries(ids.map((id) => [id, question]))),
    },
  };
}

export function llavabenchAnswers(texts: readonly string[]): AnswerFiles {
  const ids = texts.map((_, question_id) => question_id);
  const image = '001.jpg';
  return {
    benchmark: 'llavabench',
    answers_file: 'answers.jsonl',
    files: {
      'answers.jsonl': lines(ids.map((question_id) => ({ question_id, text: texts[question_id] }))),
      'scoring/questions.jsonl': lines(
        ids.map((question_id) => ({ question_id, image, category: 'conv', text: 'What is it?' })),
      ),
      'scoring/context.jsonl': lines([{ image, caption: ['A cat', 'on a mat'] }]),
      'scoring/answers_gpt4.jsonl': lines(
        ids.map((question_id) => ({ question_id, text: 'A cat on a mat.' })),
      ),
    },
  };
}

/** Whole numbers, of which 3 is always right. */
export function mathvistaAnswers(texts: readonly string[]): AnswerFiles {
  const problem = {
    query: 'Question: how many?',
    question_type: 'free_form',
    answer_type: 'integer',
    choices: null,
    precision: null,
    answer: '3',
    metadata: { skills: ['counting'] },
  };
  const problems = texts.map((response, id) => [id, { ...problem, response }]);
  const text = canonicalJson(Object.fromEntries(problems));
  return { benchmark: 'mathvista', answers_file: 'answers.json', files: { 'answers.json': text } };
}

/** Two rotations a question; the second is always answered with its right option. */
export function mmbenchAnswers(texts: readonly string[]): AnswerFiles {
  const rows = texts.flatMap((text, index) => [
    { index, text, options: 'red\tgreen' },
    { index: index + 1_000_000, text: 'A', options: 'green\tred' },
  ]);
  const table = rows.map(({ index, options }) => `${String(index)}\tWhich?\t${options}\tA\tdev`);
  return {
    benchmark: 'mmbench',
    answers_file: 'answers.jsonl',
    files: {
      'answers.jsonl': lines(rows.map(({ index, text }) => ({ question_id: index, text }))),
      'scoring/mmbench_dev.tsv': ['index\tquestion\tA\tB\tanswer\tsplit', ...table].join('\n'),
    },
  };
}
