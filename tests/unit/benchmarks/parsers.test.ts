import { describe, expect, it } from 'vitest';
import { chosenOption, lastNumber, statedAnswer } from '../../../benchmarks/answer-text.ts';
import { captionWords, singular } from '../../../benchmarks/chair-words.ts';
import { relaxedCorrectness } from '../../../benchmarks/chartqa.ts';
import { editDistance } from '../../../benchmarks/edit-distance.ts';
import { parseReview } from '../../../benchmarks/llavabench.ts';
import { normalizeExtraction } from '../../../benchmarks/mathvista-answers.ts';
import { inferOption } from '../../../benchmarks/option-inference.ts';
import { readYesNo } from '../../../benchmarks/pope.ts';
import { readLetter } from '../../../benchmarks/scienceqa.ts';
import { questionOf, softAccuracy } from '../../../benchmarks/textvqa.ts';
import { normalizeTextvqaAnswer } from '../../../benchmarks/textvqa-normalizer.ts';

describe('the official parsers keep the quirks of their scripts', () => {
  it.each([
    ['B', 'B'],
    ['C. because', 'C'],
    ['The answer is D.', 'D'],
    ['The answer is D!', 'D'],
    ['The answer is Z.', 'Z'],
    ['The answer is D', null],
    ['The answer is A. The answer is A.', null],
    [' B', null],
    ['(B)', null],
    ['b', null],
    ['\uff21', null],
    ['', null],
  ])('ScienceQA: %j is %j', (text, letter) => {
    expect(readLetter(text)).toBe(letter);
  });

  it.each([
    ['No', 'no'],
    ['Yes, not that I know', 'no'],
    ['There is no dog. Yes', 'no'],
    ['Yes. No', 'yes'],
    ['NO', 'yes'],
    ['Nope', 'yes'],
    ['', 'yes'],
  ])('POPE: %j is %s', (text, read) => {
    expect(readYesNo(text)).toBe(read);
  });

  it.each([
    ['0', '0', true],
    ['0', '0.0', false],
    ['12', '12%', false],
    ['12%', '12%', true],
    ['2014', '2019', true],
    ['1000', '1,000', false],
    ['14', '1_4', true],
    ['20', '21', true],
    ['20', '21.01', false],
    ['Italy', 'italy', true],
    ['nan', '5', false],
  ])('ChartQA: target %j, answer %j, right: %j', (target, answer, right) => {
    expect(relaxedCorrectness(target, answer)).toBe(right);
  });

  it.each([
    ['8 9', [8, 9]],
    ['7.5,10', [7.5, 10]],
    ['8  9', [-1, -1]],
    ['8\t9', [-1, -1]],
    ['Scores: 8 9', [-1, -1]],
    ['', [-1, -1]],
  ])('LLaVA-Bench: the review %j gives %j', (review, pair) => {
    expect(parseReview(review)).toEqual(pair);
  });

  it.each([
    ['Two Dogs!', '2 dogs'],
    ["It's the cat", "it 's cat"],
    ['5.', '5'],
    ['3.14', '3.14'],
    ['x-y', 'x y'],
    ['x- y', 'x y'],
    ['x-y, 1,5', 'x y 15'],
    ['dont', "don't"],
    ["somebody'd", 'somebodyd'],
    ['.'.repeat(33), '.'],
  ])('TextVQA: %j is compared as %j', (answer, normalized) => {
    expect(normalizeTextvqaAnswer(answer)).toBe(normalized);
  });

  it('TextVQA: k equal answers give 0, .3, .6, .9, 1', () => {
    const scores = [0, 1, 2, 3, 4, 10].map((equal) =>
      softAccuracy(
        'x',
        Array.from({ length: 10 }, (_, index) => (index < equal ? 'x' : `y${String(index)}`)),
      ),
    );

    [0, 0.3, 0.6, 0.9, 1, 1].forEach((score, index) => {
      expect(scores[index]).toBeCloseTo(score, 12);
    });
  });

  it('TextVQA: the question is read back out of the prompt, or not at all', () => {
    expect(questionOf('What?\nReference OCR token: A\nAnswer.')).toBe('what?');
    expect(questionOf('Reference OCR token: A\nWhat?\nAnswer.')).toBe('what?');
    expect(questionOf('OCR tokens: A Question: What is it? Short answer:')).toBe('what is it?');
    expect(questionOf('a\nb\nc\nd')).toBeNull();
  });

  const options = new Map([
    ['A', 'a red dog'],
    ['B', 'a blue cat'],
    ['C', 'none'],
  ]);
  it.each([
    ['B', 'B'],
    ['(C).', 'C'],
    ['It is a blue cat', 'B'],
    ['A dog', 'A'],
    ['A or B', null],
    ['the answer is apple', 'A'],
    ['B is what I would choose out of all of the four', null],
    ['Z', 'Z'],
    ["I can't process this file.", 'Z'],
    ['', null],
  ])('MMBench: %j means %j', (text, letter) => {
    expect(inferOption(text, options)).toBe(letter);
  });

  it('MathVista: an empty extraction gets the shortest choice, a bare small letter the nearest', () => {
    const question = {
      question_type: 'multi_choice',
      answer_type: 'text',
      choices: ['long', 'b'],
      precision: null,
    };

    expect(normalizeExtraction('', question)).toBe('b');
    expect(normalizeExtraction('(A) b', question)).toBe('long');
    expect(normalizeExtraction('B', question)).toBe('b');
    expect(editDistance('kitten', 'sitting')).toBe(3);
  });

  it.each([
    ['integer', null, '3.9', '3'],
    ['integer', null, 'three', null],
    ['float', 1, '1.25', '1.2'],
    ['float', 2, '1.2', '1.2'],
    ['float', null, '1.2', null],
    ['list', null, '[1,2]', '[1,2]'],
  ])('MathVista: %s of precision %j: %j is %j', (answer_type, precision, text, normalized) => {
    const question = { question_type: 'free_form', answer_type, choices: null, precision };

    expect(normalizeExtraction(text, question)).toBe(normalized);
  });

  it('CHAIR: bus and glass lose their s, ties are not found', () => {
    expect(['bus', 'buses', 'glass', 'ties', 'women', 'knives', 'canoes'].map(singular)).toEqual([
      'bu',
      'bus',
      'glas',
      'ty',
      'woman',
      'knife',
      'cano',
    ]);
    expect(captionWords("A man's dog. It (sits)")).toEqual([
      'a',
      'man',
      "'s",
      'dog',
      '.',
      'it',
      '(',
      'sits',
      ')',
    ]);
  });
});

describe('the robust parsers read what a person would', () => {
  const options = new Map([
    ['A', 'red'],
    ['B', 'green apple'],
  ]);
  it.each([
    [' b\n', 'B'],
    ['(B)', 'B'],
    ['**A**', 'A'],
    ['The answer is B', 'B'],
    ['I think so. Answer: (a) red', 'A'],
    ['It is a green apple.', 'B'],
    ['An orange', null],
    ['red or green apple', null],
    ['', null],
  ])('%j chooses %j', (text, letter) => {
    expect(chosenOption(text, options)).toBe(letter);
  });

  it('and find stated answers and last numbers', () => {
    expect(statedAnswer('Well. The answer is **12 apples**.\nBye')).toBe('12 apples');
    expect(lastNumber('It went from 3 to $1,234.5 million')).toBe(1234.5);
    expect(lastNumber('nothing')).toBeNull();
  });
});
