/** What must be asked and scored of each small set, derived by hand. */
import { lines } from './files.ts';

/** id, picture, category, answer for people, model's answer, prompt. */
type Question = readonly [
  id: string,
  picture: 'red' | 'blue' | null,
  type: string,
  answer: string | null,
  text: string,
  prompt: string,
];

export interface Expected {
  readonly questions: readonly Question[];
  readonly max_new_tokens: number;
  /** Recorded reviews or grades, where a judge is needed. */
  readonly judgements?: string;
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly unparsed: number;
  /** id, what was read, score */
  readonly items: readonly (readonly [string, string | null, number | null])[];
}

const LETTER = "Answer with the option's letter from the given choices directly.";
const PHRASE = 'Answer the question using a single word or phrase.';
const TOKENS = 'Reference OCR token: DAKOTA, DIGITAL';
const [BRAND, EYES, SAY] = [
  'img0 what is the brand of this camera?',
  'img0 how many "eyes" are there?',
  'img1 what does it say?',
];
const TEXT = 'finegrained_perception (instance-level)';
const READ = 'Read the text.\nThen answer.\nWhat does the text say?';

export const EXPECTED: Readonly<Record<string, Expected>> = {
  scienceqa: {
    questions: [
      [
        ...(['0', 'red', 'image', 'A', 'A'] as const),
        `Context: A map shows land.\nWhich colour is the square?\nA. red\nB. green\n${LETTER}`,
      ],
      [
        ...(['1', null, 'text', 'B', 'The answer is B.'] as const),
        `How many legs has a spider?\nA. six\nB. eight\nC. ten\n${LETTER}`,
      ],
      [
        ...(['2', 'blue', 'image', 'C', 'B. c'] as const),
        `What is "it"?\nA. a\tb\nB. c\nC. d\n${LETTER}`,
      ],
    ],
    max_new_tokens: 1024,
    metrics: { total: 3, correct: 2, img_total: 2, img_correct: 1, img_accuracy_pct: 50 },
    unparsed: 0,
    items: [
      ['0', 'A', 1],
      ['1', 'B', 1],
      ['2', 'B', 0],
    ],
  },
  textvqa: {
    questions: [
      [
        ...([BRAND, 'red', 'with_ocr', 'dakota', 'Dakota.'] as const),
        `What is the brand of this camera?\n${TOKENS}\n${PHRASE}`,
      ],
      [
        ...([EYES, 'red', 'with_ocr', 'two', 'two'] as const),
        `How many "eyes" are there?\n${TOKENS}\n${PHRASE}`,
      ],
      [
        ...([SAY, 'blue', 'with_ocr', "it's", 'nothing'] as const),
        `What does it say?\nReference OCR token: \n${PHRASE}`,
      ],
    ],
    max_new_tokens: 128,
    // "two" equals 2 of 10: (2 x 1/3 + 8 x 2/3) / 10 = 0.6.
    metrics: { accuracy: 1.6 / 3 },
    unparsed: 0,
    items: [
      [BRAND, 'dakota', 1],
      [EYES, '2', 0.6],
      [SAY, 'nothing', 0],
    ],
  },
  chartqa: {
    questions: [
      [
        'human_0',
        'red',
        'human',
        '14',
        '14.5',
        'How many bars?\nAnswer the question with a single word.',
      ],
      [
        ...(['human_1', 'red', 'human', '[Yes, No]', 'yes'] as const),
        'Which are shown?\nAnswer the question with a single word.',
      ],
      [
        ...(['augmented_0', 'blue', 'augmented', 'Italy', 'italy'] as const),
        'Which country?\nAnswer the question with a single word.',
      ],
    ],
    max_new_tokens: 16,
    metrics: {
      n: 3,
      correct: 2,
      by_source: { human: { n: 2, correct: 1 }, augmented: { n: 1, correct: 1 } },
    },
    unparsed: 0,
    items: [
      ['human_0', '14.5', 1],
      ['human_1', 'yes', 0],
      ['augmented_0', 'italy', 1],
    ],
  },
  llavabench: {
    questions: [
      ['0', 'red', 'conv', null, 'A square.', 'What is it?'],
      ['1', 'red', 'detail', null, 'A red one.', 'Describe this photo in detail.'],
      ['2', 'blue', 'complex', null, 'Paint.', 'Why is it blue?'],
    ],
    max_new_tokens: 1024,
    judgements: lines(
      { question_id: 0, category: 'llava_bench_conv', content: '8 6\nGood.' },
      { question_id: 1, category: 'llava_bench_detail', content: '10 5\nShort.' },
    ),
    // 5.5 of 9 over both; the third answer has no review.
    metrics: {
      all: { relative_score: 61.1, reference_x10: 90, model_x10: 55 },
      llava_bench_conv: { relative_score: 75 },
      llava_bench_detail: { relative_score: 50 },
    },
    unparsed: 1,
    items: [
      ['0', '8 6', 6],
      ['1', '10 5', 5],
    ],
  },
  mmbench: {
    questions: [
      ['241', 'red', 'coarse_perception', 'A', 'A', `Which is it?\nA. red\nB. green\n${LETTER}`],
      ['252', 'blue', TEXT, 'B', 'B', `${READ}\nA. one\nB. two\nC. three\n${LETTER}`],
      [
        ...(['1000241', 'red', 'coarse_perception', 'B', 'The answer is B'] as const),
        `Which is it?\nA. green\nB. red\n${LETTER}`,
      ],
      ['1000252', 'blue', TEXT, 'A', 'B', `${READ}\nA. two\nB. three\nC. one\n${LETTER}`],
    ],
    max_new_tokens: 1024,
    metrics: {
      circular: { split: 'dev', Overall: 0.5, CP: 1, 'FP-S': 0, image_scene: 1, ocr: 0 },
      n_groups: 2,
      vanilla_main_rows: 1,
      per_row_all_rotations: 0.75,
    },
    unparsed: 0,
    items: [
      ['241', 'A', 1],
      ['252', 'B', 0],
    ],
  },
  mmvet: {
    questions: [
      ['v1_0', 'red', 'math_ocr', '-1<AND>-5', 'x = -1', 'What is x in the equation?'],
      ['v1_1', 'red', 'rec', 'No.', 'No.', 'Can you explain this meme?'],
      ['v1_2', 'blue', 'rec', 'yes', 'no', 'Is it a cat?'],
    ],
    max_new_tokens: 1024,
    judgements: JSON.stringify({
      v1_0: { score: [0.5] },
      v1_1: { score: [1] },
      v1_2: { score: [0] },
    }),
    metrics: {
      cap_score: { ocr: 50, math: 50, rec: 50, total: 50 },
      cap_int_score: { math_ocr: 50, rec: 50, total: 50 },
    },
    unparsed: 0,
    items: [
      ['v1_0', '0.5', 0.5],
      ['v1_1', '1', 1],
      ['v1_2', '0', 0],
    ],
  },
  mathvista: {
    questions: [
      [
        ...(['1', 'red', 'textbook question answering', '1.2', '1.23'] as const),
        'Hint: Please answer the question requiring a floating-point number with one decimal place and provide the final value, e.g., 1.2, 1.3, 1.4, at the end.\nQuestion: How wide is it? (Unit: cm)',
      ],
      [
        ...(['2', 'blue', 'geometry problem solving', "it's 140°", "it's 140°"] as const),
        "Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.\nQuestion: Which angle?\nChoices:\n(A) 135°\n(B) it's 140°",
      ],
      [
        ...(['3', 'blue', 'math word problem', '3', 'three'] as const),
        'Hint: Please answer the question requiring an integer answer and provide the final value, e.g., 1, 2, 3, at the end.\nQuestion: How many?',
      ],
    ],
    max_new_tokens: 512,
    metrics: {
      scores: {
        average: { accuracy: 2 / 3, correct: 2, total: 3 },
        skills: { 'arithmetic reasoning': { accuracy: 0.5, correct: 1, total: 2 } },
        grade: { college: { accuracy: 1, correct: 1, total: 1 } },
      },
    },
    unparsed: 1,
    items: [
      ['1', '1.2', 1],
      ['2', "it's 140°", 1],
      ['3', null, 0],
    ],
  },
  pope: {
    questions: [
      ['1', 'red', 'adversarial', 'yes', 'Yes', `Is there a dog in the image?\n${PHRASE}`],
      ['2', 'red', 'adversarial', 'no', 'No', `Is there a cat in the image?\n${PHRASE}`],
      ['10000001', 'red', 'random', 'yes', 'Yes', `Is there a dog in the image?\n${PHRASE}`],
      ['10000002', 'blue', 'random', 'no', 'Yes', `Is there a car in the image?\n${PHRASE}`],
      ['20000001', 'red', 'popular', 'yes', 'Yes', `Is there a dog in the image?\n${PHRASE}`],
      ['20000002', 'blue', 'popular', 'no', 'No', `Is there a bus in the image?\n${PHRASE}`],
    ],
    max_new_tokens: 128,
    metrics: {
      adversarial: { TP: 1, FP: 0, TN: 1, FN: 0, f1_score: 1 },
      // Precision 1/2, recall 1.
      random: { TP: 1, FP: 1, TN: 0, FN: 0, f1_score: 2 / 3 },
      popular: { TP: 1, FP: 0, TN: 1, FN: 0, f1_score: 1 },
    },
    unparsed: 0,
    items: [
      ['1', 'yes', 1],
      ['2', 'no', 1],
      ['10000001', 'yes', 1],
      ['10000002', 'yes', 0],
      ['20000001', 'yes', 1],
      ['20000002', 'no', 1],
    ],
  },
  chair: {
    questions: [
      [
        '42',
        'blue',
        'description',
        'dog',
        'A dog and a puppy lie.',
        'Please describe this image in detail.',
      ],
      [
        ...(['1270', 'red', 'description', 'bench, person', 'A bench with a cat.'] as const),
        'Please describe this image in detail.',
      ],
    ],
    max_new_tokens: 512,
    // dog, dog; bench, cat: one of two captions, one of four mentions; dog and bench of three objects.
    metrics: { n: 2, CHAIRs: 0.5, CHAIRi: 0.25, Recall: 2 / 3 },
    unparsed: 0,
    items: [
      ['42', 'dog, dog', 1],
      ['1270', 'bench, cat', 0],
    ],
  },
};
