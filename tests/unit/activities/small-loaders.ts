/** Loaders of small made-up benchmarks in the shape of the official ones; the pictures are files of the folder. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Loaders } from '../../../activities/evaluation-set.ts';
import type {
  BenchmarkAnswer,
  BenchmarkLoader,
  BenchmarkQuestion,
  LoadedBenchmark,
} from '../../../benchmarks/loader.ts';
import { ScoreInputError } from '../../../benchmarks/scorer.ts';

/** Pictures that {@link evaluated} puts into the folder. */
export const PICTURES = ['0.png', '1.png'] as const;

type Small = Partial<BenchmarkQuestion> & {
  readonly question_id: string;
  readonly picture?: string;
};

const jsonLines = (rows: readonly unknown[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join('');

function questionsIn(folder: string, rows: readonly Small[]): BenchmarkQuestion[] {
  return rows.map(({ picture, ...row }) => ({
    prompt: `question ${row.question_id}`,
    question_type: 'all',
    answer: null,
    max_new_tokens: 8,
    image:
      picture === undefined ? null : { name: picture, read: () => readFile(join(folder, picture)) },
    ...row,
  }));
}

function loader(
  rows: readonly Small[],
  scoringData: Readonly<Record<string, string>>,
  answersFile: LoadedBenchmark['answersFile'],
): BenchmarkLoader {
  return async (folder) =>
    Promise.resolve({
      questions: questionsIn(folder, rows),
      scoringData: new Map(Object.entries(scoringData)),
      answersFile,
    });
}

/** Six questions, all answered by A: two about each picture, two about text alone. */
const scienceRows: Small[] = [
  { question_id: '11', picture: '0.png', question_type: 'NAT' },
  { question_id: '12', picture: '0.png', question_type: 'NAT' },
  { question_id: '13', picture: '1.png', question_type: 'NAT' },
  { question_id: '14', picture: '1.png', question_type: 'NAT' },
  { question_id: '15', question_type: 'SOC' },
  { question_id: '16', question_type: 'SOC' },
];
const pictured = new Set(['11', '12', '13', '14']);
const problem = { choices: ['red', 'green'], answer: 0 };

const scienceqa = loader(
  scienceRows,
  {
    'problems.json': JSON.stringify(
      Object.fromEntries(scienceRows.map(({ question_id }) => [question_id, problem])),
    ),
    'pid_splits.json': JSON.stringify({ test: scienceRows.map(({ question_id }) => question_id) }),
  },
  (answers) =>
    jsonLines(
      answers.map(({ prompt, ...row }) => ({
        ...row,
        prompt: pictured.has(row.question_id) ? `<image>\n${prompt}` : prompt,
      })),
    ),
);

/** Two categories of three questions each, the answers yes, no, no. */
const popeRows = ['random', 'popular'].flatMap((category, block) =>
  ['yes', 'no', 'no'].map((label, place) => ({
    question_id: String(1 + 3 * block + place),
    picture: PICTURES[place % 2] ?? '',
    question_type: category,
    answer: label,
    prompt: `Is there a ${String(place)}?`,
  })),
);

const pope = loader(
  popeRows,
  {
    'llava_pope_test.jsonl': jsonLines(
      popeRows.map(({ question_id, picture, question_type, prompt }) => ({
        question_id: Number(question_id),
        image: picture,
        text: prompt,
        category: question_type,
      })),
    ),
    ...Object.fromEntries(
      ['random', 'popular'].map((category) => [
        `coco/coco_pope_${category}.json`,
        jsonLines(
          popeRows
            .filter(({ question_type }) => question_type === category)
            .map(({ picture, prompt, answer }) => ({
              image: picture,
              text: prompt,
              label: answer,
            })),
        ),
      ]),
    ),
  },
  (answers) =>
    jsonLines(answers.map(({ question_id, text }) => ({ question_id: Number(question_id), text }))),
);

const mmvet = loader(
  [
    { question_id: 'v1_0', picture: '0.png' },
    { question_id: 'v1_1', picture: '1.png' },
  ],
  {
    'mm-vet.json': JSON.stringify({
      v1_0: { question: 'a', answer: 'b', capability: ['rec'] },
      v1_1: { question: 'a', answer: 'b', capability: ['ocr'] },
    }),
  },
  (answers) =>
    JSON.stringify(Object.fromEntries(answers.map(({ question_id, text }) => [question_id, text]))),
);

/** Two questions with two rotations each; the answers file is a table. */
const mmbench = loader(
  ['7', '1000007', '9', '1000009'].map((question_id, place) => ({
    question_id,
    picture: PICTURES[Math.floor(place / 2)] ?? '',
  })),
  {
    'mmbench_dev.tsv': [
      'index\tquestion\tA\tB\tanswer\tsplit',
      '7\tWhich?\tred\tgreen\tA\tdev',
      '1000007\tWhich?\tgreen\tred\tB\tdev',
      '9\tWhich?\tred\tgreen\tA\tdev',
      '1000009\tWhich?\tgreen\tred\tB\tdev',
    ].join('\n'),
  },
  (answers: readonly BenchmarkAnswer[]) =>
    [
      'index\tprediction',
      ...answers.map(({ question_id, text }) => `${question_id}\t${text}`),
    ].join('\n'),
);

const broken: BenchmarkLoader = () =>
  Promise.reject(new ScoreInputError('Expected TextVQA_0.5.1_val.json here. Put it there.'));

export const SMALL_LOADERS: Loaders = { scienceqa, pope, mmvet, mmbench, textvqa: broken };
