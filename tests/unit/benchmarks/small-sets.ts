/** Each benchmark with a few questions on disk, in the layout that users have. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScoreFiles } from '../../../benchmarks/scorer.ts';

const NUM_ITEMS = 3;
const items = Array.from({ length: NUM_ITEMS }, (_, index) => index);

/** Writes data and the answers `texts` (three) below `folder`; gives the files to score. */
export type SmallSet = (
  folder: string,
  texts: readonly string[],
) => Promise<Omit<ScoreFiles, 'parser'>>;

const lines = (rows: readonly unknown[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join('');

async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(join(folder, 'coco'), { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

const scienceqa: SmallSet = async (folder, texts) => {
  const problems = items.map((id) => [id, { choices: ['red', 'green'], answer: 0 }]);
  await write(folder, {
    'problems.json': JSON.stringify(Object.fromEntries(problems)),
    'pid_splits.json': JSON.stringify({ test: items.map(String) }),
    'answers.jsonl': lines(
      items.map((id) => ({ question_id: String(id), prompt: '<image>', text: texts[id] })),
    ),
  });
  return { data: folder, answers: join(folder, 'answers.jsonl'), judgements: null };
};

const textvqa: SmallSet = async (folder, texts) => {
  const data = items.map((id) => ({
    image_id: String(id),
    question: 'What?',
    answers: Array(10).fill('red') as string[],
  }));
  const answers = items.map((id) => ({
    question_id: String(id),
    prompt: 'What?\nAnswer.',
    text: texts[id],
  }));
  await write(folder, {
    'TextVQA_val.json': JSON.stringify({ data }),
    'answers.jsonl': lines(answers),
  });
  return { data: folder, answers: join(folder, 'answers.jsonl'), judgements: null };
};

const chartqa: SmallSet = async (folder, texts) => {
  await write(folder, {
    'answers.jsonl': lines(items.map((id) => ({ target: '14', prediction: texts[id] }))),
  });
  return { data: folder, answers: join(folder, 'answers.jsonl'), judgements: null };
};

const pope: SmallSet = async (folder, texts) => {
  const rows = items.map((id) => ({
    question_id: id,
    image: `${String(id)}.jpg`,
    text: 'Is it?',
    category: 'random',
    label: 'yes',
  }));
  await write(folder, {
    'llava_pope_test.jsonl': lines(rows),
    'coco/coco_pope_random.json': lines(rows),
    'answers.jsonl': lines(items.map((id) => ({ question_id: id, text: texts[id] }))),
  });
  return { data: folder, answers: join(folder, 'answers.jsonl'), judgements: null };
};

const mmbench: SmallSet = async (folder, texts) => {
  const rows = items.map((id) => [id, 'Which?', 'red', 'green', 'A', 'dev'].join('\t'));
  await write(folder, {
    'mmbench_dev.tsv': ['index\tquestion\tA\tB\tanswer\tsplit', ...rows].join('\n'),
    'answers.jsonl': lines(items.map((id) => ({ question_id: id, text: texts[id] }))),
  });
  return { data: folder, answers: join(folder, 'answers.jsonl'), judgements: null };
};

const mathvista: SmallSet = async (folder, texts) => {
  const forms = [
    {
      question_type: 'multi_choice',
      answer_type: 'text',
      choices: ['red', 'green'],
      precision: null,
      answer: 'red',
    },
    {
      question_type: 'free_form',
      answer_type: 'integer',
      choices: null,
      precision: null,
      answer: '3',
    },
    {
      question_type: 'free_form',
      answer_type: 'float',
      choices: null,
      precision: 1,
      answer: '1.2',
    },
  ];
  const problems = forms.map((form, id) => [
    id,
    { ...form, response: texts[id], extraction: texts[id], metadata: { skills: [] } },
  ]);
  await write(folder, { 'answers.json': JSON.stringify(Object.fromEntries(problems)) });
  return { data: folder, answers: join(folder, 'answers.json'), judgements: null };
};

const chair: SmallSet = async (folder, texts) => {
  await write(folder, {
    'object_synonyms.json': JSON.stringify({
      inverse_synonym: { dog: 'dog', puppy: 'dog', bus: 'bus' },
      double_words: { 'hot dog': 'hot dog' },
    }),
    'image_objects.json': JSON.stringify(Object.fromEntries(items.map((id) => [id, ['dog']]))),
    'answers.jsonl': lines(items.map((id) => ({ image_id: id, caption: texts[id] }))),
  });
  return { data: folder, answers: join(folder, 'answers.jsonl'), judgements: null };
};

/** Here the hostile text is what the judge wrote. */
const mmvet: SmallSet = async (folder, texts) => {
  const questions = items.map((id) => [
    id,
    { question: 'What?', answer: 'red', capability: ['rec'] },
  ]);
  const grades = items.map((id) => [id, { model: ['judge'], content: [texts[id]], score: [0.5] }]);
  await write(folder, {
    'mm-vet.json': JSON.stringify(Object.fromEntries(questions)),
    'answers.json': JSON.stringify(Object.fromEntries(items.map((id) => [id, texts[id]]))),
    'grades.json': JSON.stringify(Object.fromEntries(grades)),
  });
  return {
    data: folder,
    answers: join(folder, 'answers.json'),
    judgements: join(folder, 'grades.json'),
  };
};

const llavabench: SmallSet = async (folder, texts) => {
  await write(folder, {
    'answers.jsonl': lines(items.map((id) => ({ question_id: id, text: 'x' }))),
    'reviews.jsonl': lines(
      items.map((id) => ({ question_id: id, category: 'llava_bench_conv', content: texts[id] })),
    ),
  });
  return {
    data: folder,
    answers: join(folder, 'answers.jsonl'),
    judgements: join(folder, 'reviews.jsonl'),
  };
};

export const SMALL_SETS: Readonly<Record<string, SmallSet>> = {
  scienceqa,
  textvqa,
  chartqa,
  llavabench,
  mmbench,
  mmvet,
  mathvista,
  pope,
  chair,
};
