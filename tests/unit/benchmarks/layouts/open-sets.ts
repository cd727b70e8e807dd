/** Benchmarks with free answers: three questions or so, in LLaVA's layout and VLMEvalKit's. */
import { BLUE, type LayoutFiles, lines, picture, RED, table } from './files.ts';

const tenTimes = (text: string): string[] => Array.from({ length: 10 }, () => text);
const COUNTS = ['two', '2', '3', '4', '5', '6', '7', '8', '9', '10'];
const ITS = ["it's", "it's", "it's", 'a', 'b', 'c', 'd', 'e', 'f', 'g'];

export const textvqa: LayoutFiles = {
  official: {
    'TextVQA_0.5.1_val.json': JSON.stringify({
      data: [
        {
          image_id: 'img0',
          question: 'what is the brand of this camera?',
          answers: tenTimes('dakota'),
        },
        { image_id: 'img0', question: 'how many "eyes" are there?', answers: COUNTS },
        { image_id: 'img1', question: 'What does it say?', answers: ITS },
      ],
    }),
    'llava_textvqa_val_v051_ocr.jsonl': lines(
      {
        question_id: 'img0',
        image: 'img0.jpg',
        text: 'What is the brand of this camera?\nReference OCR token: DAKOTA, DIGITAL\nAnswer the question using a single word or phrase.',
        category: 'default',
      },
      {
        question_id: 'img0',
        image: 'img0.jpg',
        text: 'How many "eyes" are there?\nReference OCR token: DAKOTA, DIGITAL\nAnswer the question using a single word or phrase.',
        category: 'default',
      },
      {
        question_id: 'img1',
        image: 'img1.jpg',
        text: 'What does it say?\nReference OCR token: \nAnswer the question using a single word or phrase.',
        category: 'default',
      },
    ),
    'train_images/img0.jpg': picture('red'),
    'train_images/img1.jpg': picture('blue'),
  },
  tsv: {
    'TextVQA_VAL.tsv': table([
      ['index', 'image', 'image_id', 'question', 'ocr_tokens', 'answer'],
      [
        '7',
        RED,
        'img0',
        'what is the brand of this camera?',
        "['DAKOTA', 'DIGITAL']",
        `[${tenTimes("'dakota'").join(', ')}]`,
      ],
      [
        '8',
        '7',
        'img0',
        'how many "eyes" are there?',
        "['DAKOTA', 'DIGITAL']",
        `['${COUNTS.join("', '")}']`,
      ],
      [
        '9',
        BLUE,
        'img1',
        'What does it say?',
        '[]',
        "\"[\"\"it's\"\", \"\"it's\"\", \"\"it's\"\", 'a', 'b', 'c', 'd', 'e', 'f', 'g']\"",
      ],
    ]),
  },
};

export const chartqa: LayoutFiles = {
  official: {
    'test_human.json': JSON.stringify([
      { imgname: '1.png', query: 'How many bars?', label: '14' },
      { imgname: '1.png', query: 'Which are shown?', label: '[Yes, No]' },
    ]),
    'test_augmented.json': JSON.stringify([
      { imgname: 'two.png', query: 'Which country?', label: 'Italy' },
    ]),
    'png/1.png': picture('red'),
    'png/two.png': picture('blue'),
  },
  tsv: {
    'ChartQA_TEST.tsv': table([
      ['index', 'image', 'question', 'answer', 'split'],
      ['0', RED, 'How many bars?', "['14']", 'test_human'],
      ['1', '0', 'Which are shown?', '[Yes, No]', 'test_human'],
      ['2', BLUE, 'Which country?', "['Italy']", 'test_augmented'],
    ]),
  },
};

export const llavabench: LayoutFiles = {
  official: {
    'questions.jsonl': lines(
      { question_id: 0, image: '001.jpg', category: 'conv', text: 'What is it?' },
      {
        question_id: 1,
        image: '001.jpg',
        category: 'detail',
        text: 'Describe this photo in detail.',
      },
      { question_id: 2, image: '002.jpg', category: 'complex', text: 'Why is it blue?' },
    ),
    'context.jsonl': lines(
      { id: 0, image: '001.jpg', caption: ['A red square.', 'It is large.'] },
      { id: 1, image: '002.jpg', caption: 'A blue square.' },
    ),
    'answers_gpt4.jsonl': lines(
      { question_id: 0, text: 'A square.' },
      { question_id: 1, text: 'A large red square.' },
      { question_id: 2, text: 'Paint.' },
    ),
    'images/001.jpg': picture('red'),
    'images/002.jpg': picture('blue'),
  },
  tsv: {
    'LLaVABench.tsv': table([
      ['index', 'image', 'question', 'category', 'caption', 'gpt4_ans'],
      ['0', RED, 'What is it?', 'conv', '"A red square.\nIt is large."', 'A square.'],
      [
        '1',
        '0',
        'Describe this photo in detail.',
        'detail',
        '"A red square.\nIt is large."',
        'A large red square.',
      ],
      ['2', BLUE, 'Why is it blue?', 'complex', 'A blue square.', 'Paint.'],
    ]),
  },
};

export const mmvet: LayoutFiles = {
  official: {
    'mm-vet.json': JSON.stringify({
      v1_0: {
        imagename: 'v1_0.png',
        question: 'What is x in the equation?',
        answer: '-1<AND>-5',
        capability: ['ocr', 'math'],
        imagesource: 'web',
      },
      v1_1: {
        imagename: 'v1_0.png',
        question: 'Can you explain this meme?',
        answer: 'No.',
        capability: ['rec'],
      },
      v1_2: {
        imagename: 'v1_2.png',
        question: 'Is it a cat?',
        answer: 'yes',
        capability: ['rec'],
      },
    }),
    'images/v1_0.png': picture('red'),
    'images/v1_2.png': picture('blue'),
  },
  tsv: {
    'MMVet.tsv': table([
      ['index', 'image', 'question', 'answer', 'category'],
      ['0', RED, 'What is x in the equation?', '-1<AND>-5', 'ocr,math'],
      ['1', '0', 'Can you explain this meme?', 'No.', 'rec'],
      ['2', BLUE, 'Is it a cat?', 'yes', 'rec'],
    ]),
  },
};
