import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalizeAnswer } from '../../../benchmarks/exact-match.ts';
import { benchmarkOf } from '../../../benchmarks/registry.ts';

const question = (question_type: string, answer: string) => ({
  question_id: 'q',
  image_id: '0'.repeat(64),
  question: 'What?',
  answer,
  question_type,
});

describe('exact match', () => {
  const { scoreAnswer } = benchmarkOf('exact_match');

  it('ignores case, surrounding white space and one closing full stop', () => {
    expect(scoreAnswer(question('any', 'Top-left'), ' top-LEFT .\n')).toEqual({
      parsed: 'top-left',
      score: 1,
    });
  });

  it('does not accept a right word inside a sentence', () => {
    expect(scoreAnswer(question('any', 'red'), 'It is red.').score).toBe(0);
  });

  it('counts an empty answer as unparsed, even where the right answer is empty', () => {
    expect(scoreAnswer(question('any', ''), ' . ')).toEqual({ parsed: null, score: 0 });
  });

  it('normalises twice as it does once, but for further full stops', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = normalizeAnswer(text);
        return once.endsWith('.') || normalizeAnswer(once) === once;
      }),
    );
  });
});

describe('scenes', () => {
  const { scoreAnswer } = benchmarkOf('scenes');

  it.each([
    { type: 'color', expected: 'pink', text: 'Pink.', parsed: 'pink', score: 1 },
    { type: 'where', expected: 'top', text: 'top-left', parsed: 'top-left', score: 0 },
    { type: 'count', expected: '3', text: '3', parsed: '3', score: 1 },
    { type: 'count', expected: '3', text: 'three', parsed: null, score: 0 },
    { type: 'exist', expected: 'yes', text: 'maybe', parsed: null, score: 0 },
    { type: 'size', expected: 'small', text: 'a small red cross', parsed: null, score: 0 },
  ])(
    'reads a $type answer: expected $expected, said $text',
    ({ type, expected, text, ...read }) => {
      expect(scoreAnswer(question(type, expected), text)).toEqual(read);
    },
  );

  it('takes any word for a question type it does not know', () => {
    expect(scoreAnswer(question('mood', 'calm'), 'Calm').score).toBe(1);
  });
});
