import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Segment, wordDifference } from '../../../report/word-diff.ts';

const joined = (segments: readonly Segment[] | undefined): string =>
  (segments ?? []).map(({ text }) => text).join('');

const wordsOf = (segments: readonly Segment[] | undefined, kind: Segment['kind']): string[] =>
  (segments ?? [])
    .filter((each) => each.kind === kind)
    .flatMap(({ text }) => text.match(/\S+/g) ?? []);

/** Few words, so that texts have words in common; and any text at all. */
const text = fc.oneof(
  fc
    .array(fc.constantFrom('a', 'red', 'square', 'on', '\n', 'blue.'), { maxLength: 30 })
    .map((words) => words.join(' ')),
  fc.string({ unit: 'binary', maxLength: 80 }),
);

describe('wordDifference', () => {
  it('marks replaced words on both sides and leaves the rest', () => {
    expect(wordDifference('a red square', 'a blue square')).toEqual({
      left: [
        { kind: 'same', text: 'a' },
        { kind: 'only', text: ' red' },
        { kind: 'same', text: ' square' },
      ],
      right: [
        { kind: 'same', text: 'a' },
        { kind: 'only', text: ' blue' },
        { kind: 'same', text: ' square' },
      ],
    });
  });

  it('gives both texts back, letter for letter', () => {
    fc.assert(
      fc.property(text, text, (left, right) => {
        const difference = wordDifference(left, right);

        expect(joined(difference?.left)).toBe(left);
        expect(joined(difference?.right)).toBe(right);
      }),
    );
  });

  it('keeps the same words in the same order on both sides', () => {
    fc.assert(
      fc.property(text, text, (left, right) => {
        const difference = wordDifference(left, right);

        expect(wordsOf(difference?.left, 'same')).toEqual(wordsOf(difference?.right, 'same'));
      }),
    );
  });

  it('marks nothing in equal texts and everything against an empty one', () => {
    fc.assert(
      fc.property(text, (any) => {
        expect(wordsOf(wordDifference(any, any)?.left, 'only')).toEqual([]);
        expect(wordsOf(wordDifference(any, '')?.left, 'same')).toEqual([]);
      }),
    );
  });

  it('marks as many words whichever text comes first', () => {
    fc.assert(
      fc.property(text, text, (left, right) => {
        const there = wordsOf(wordDifference(left, right)?.left, 'only').length;
        const back = wordsOf(wordDifference(right, left)?.right, 'only').length;

        expect(there).toBe(back);
      }),
    );
  });

  it('declines texts of more than 1,500 words', () => {
    expect(wordDifference('word '.repeat(1501), 'word')).toBeNull();
  });
});
