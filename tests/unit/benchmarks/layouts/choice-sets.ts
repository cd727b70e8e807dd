/** Benchmarks with options or yes and no: three questions or so, in LLaVA's layout and VLMEvalKit's. */
import { BLUE, type LayoutFiles, picture, RED, table } from './files.ts';

export const scienceqa: LayoutFiles = {
  official: {
    'pid_splits.json': JSON.stringify({ train: ['9'], test: ['0', '1', '2'] }),
    'problems.json': JSON.stringify({
      '0': {
        question: 'Which colour is the square?',
        choices: ['red', 'green'],
        answer: 0,
        hint: 'A map shows  land.',
        image: 'image.png',
        split: 'test',
      },
      '1': {
        question: 'How many legs has a spider?',
        choices: ['six', 'eight', 'ten'],
        answer: 1,
        hint: '',
        image: null,
        split: 'test',
      },
      '2': {
        question: 'What is "it"?',
        choices: ['a\tb', 'c', 'd'],
        answer: 2,
        hint: '',
        image: 'image.png',
        split: 'test',
      },
      '9': { question: 'Not asked', choices: ['yes'], answer: 0, hint: '', image: null },
    }),
    'images/test/0/image.png': picture('red'),
    'images/test/2/image.png': picture('blue'),
  },
  tsv: {
    'ScienceQA_TEST.tsv': table([
      ['index', 'image', 'hint', 'question', 'A', 'B', 'C', 'answer'],
      ['0', RED, 'A map shows  land.', 'Which colour is the square?', 'red', 'green', '', 'A'],
      ['1', '', '', 'How many legs has a spider?', 'six', 'eight', 'ten', 'B'],
      ['2', BLUE, '', '"What is ""it""?"', '"a\tb"', 'c', 'd', 'C'],
    ]),
  },
};

const MMBENCH_ROWS: readonly (readonly string[])[] = [
  ['241', RED, '', 'Which is it?', 'red', 'green', '', 'A', 'image_scene', 'coarse_perception'],
  [
    '252',
    BLUE,
    '"Read the text.\nThen answer."',
    'What does the text say?',
    'one',
    'two',
    'three',
    'B',
    'ocr',
    'finegrained_perception (instance-level)',
  ],
  [
    '1000241',
    '241',
    'nan',
    'Which is it?',
    'green',
    'red',
    'nan',
    'B',
    'image_scene',
    'coarse_perception',
  ],
  [
    '1000252',
    '252',
    '"Read the text.\nThen answer."',
    'What does the text say?',
    'two',
    'three',
    'one',
    'A',
    'ocr',
    'finegrained_perception (instance-level)',
  ],
];

/** LLaVA's table and VLMEvalKit's differ in whether a picture stands there again. */
function mmbenchTable(repeats: 'again' | 'by index'): string {
  const pictures = new Map([
    ['241', RED],
    ['252', BLUE],
  ]);
  const head = ['index', 'image', 'hint', 'question', 'A', 'B', 'C', 'answer', 'category'];
  const rows = MMBENCH_ROWS.map(([index = '', image = '', ...cells]) => {
    return [index, repeats === 'again' ? (pictures.get(image) ?? image) : image, ...cells, 'dev'];
  });
  return table([[...head, 'l2-category', 'split'], ...rows]);
}

export const mmbench: LayoutFiles = {
  official: { 'mmbench_dev_20230712.tsv': mmbenchTable('again') },
  tsv: { 'MMBench_DEV_EN.tsv': mmbenchTable('by index') },
};

const HINT = 'Hint: Please answer the question';
const SCIENCE = {
  split: 'testmini',
  language: 'english',
  source: 'SciBench',
  category: 'math-targeted-vqa',
  task: 'textbook question answering',
  context: 'scientific figure',
  grade: 'college',
};
const GEOMETRY = {
  ...SCIENCE,
  source: 'Geometry3K',
  task: 'geometry problem solving',
  context: 'geometry diagram',
  grade: 'high school',
};
const WORDS = {
  ...SCIENCE,
  source: 'CLEVR-Math',
  task: 'math word problem',
  context: 'synthetic scene',
  grade: 'elementary school',
};
const free = { question_type: 'free_form', choices: null, unit: null, precision: null };

const columns = ({
  language,
  source,
  category,
  task,
  context,
  grade,
}: typeof SCIENCE): string[] => [language, source, category, task, context, grade];

export const mathvista: LayoutFiles = {
  official: {
    'testmini.json': JSON.stringify({
      '1': {
        ...free,
        pid: '1',
        question: 'How wide is it?',
        image: 'images/1.jpg',
        unit: 'cm',
        precision: 1,
        answer: '1.2',
        answer_type: 'float',
        metadata: { ...SCIENCE, skills: ['scientific reasoning'] },
      },
      '2': {
        pid: '2',
        question: 'Which angle?',
        image: 'images/2.jpg',
        choices: ['135°', "it's 140°"],
        unit: null,
        precision: null,
        answer: "it's 140°",
        question_type: 'multi_choice',
        answer_type: 'text',
        metadata: { ...GEOMETRY, skills: ['geometry reasoning', 'arithmetic reasoning'] },
      },
      '3': {
        ...free,
        pid: '3',
        question: 'How many?',
        image: 'images/3.jpg',
        answer: '3',
        answer_type: 'integer',
        metadata: { ...WORDS, skills: ['arithmetic reasoning'] },
      },
    }),
    'images/1.jpg': picture('red'),
    'images/2.jpg': picture('blue'),
    'images/3.jpg': picture('blue'),
  },
  tsv: {
    'MathVista_MINI.tsv': table([
      [
        ...['index', 'image', 'question', 'answer', 'question_type', 'answer_type', 'choices'],
        ...['language', 'source', 'category', 'task', 'context', 'grade', 'skills'],
      ],
      [
        '1',
        RED,
        `"${HINT} requiring a floating-point number with one decimal place and provide the final value, e.g., 1.2, 1.3, 1.4, at the end.\nQuestion: How wide is it? (Unit: cm)"`,
        '1.2',
        'free_form',
        'float',
        '',
        ...columns(SCIENCE),
        "['scientific reasoning']",
      ],
      [
        '2',
        BLUE,
        `"${HINT} and provide the correct option letter, e.g., A, B, C, D, at the end.\nQuestion: Which angle?\nChoices:\n(A) 135°\n(B) it's 140°"`,
        "it's 140°",
        'multi_choice',
        'text',
        `"['135°', ""it's 140°""]"`,
        ...columns(GEOMETRY),
        "['geometry reasoning', 'arithmetic reasoning']",
      ],
      [
        '3',
        '2',
        `"${HINT} requiring an integer answer and provide the final value, e.g., 1, 2, 3, at the end.\nQuestion: How many?"`,
        '3',
        'free_form',
        'integer',
        '[]',
        ...columns(WORDS),
        "['arithmetic reasoning']",
      ],
    ]),
  },
};
