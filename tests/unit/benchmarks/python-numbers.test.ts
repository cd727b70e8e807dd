/** Every expected value was printed by CPython 3.11 or NumPy 2.4. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { floatText, intText, pythonFloat, pythonInt } from '../../../benchmarks/python-float.ts';
import { numpyRound, pythonRound } from '../../../benchmarks/python-round.ts';
import { codePointLength, splitOnSpaces, strip } from '../../../benchmarks/python-text.ts';

describe('pythonFloat', () => {
  it.each([
    ['14', 14],
    [' 14 ', 14],
    ['14.', 14],
    ['.5', 0.5],
    ['1e3', 1000],
    ['1_000', 1000],
    ['1_0.0_1e0_2', 1001],
    ['-0', -0],
    ['1e400', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['iNf', Number.POSITIVE_INFINITY],
    ['nan', Number.NaN],
    ['\u00a01\u3000', 1],
    ['\u0661\u0662', 12],
    ['\u{1d7d7}', 9],
  ])('reads %j', (text, value) => {
    expect(pythonFloat(text)).toBe(value);
  });

  it.each([
    '',
    ' ',
    '1__0',
    '_1',
    '1_',
    '1,000',
    '$5',
    '0x10',
    '1e',
    'e5',
    '.',
    '1 2',
    '½',
    '\x1c5',
    '5\x1f',
  ])('refuses %j', (text) => {
    expect(pythonFloat(text)).toBeNull();
  });

  it('reads back every double that it writes', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        expect(pythonFloat(floatText(value))).toBe(value);
      }),
    );
  });
});

describe('floatText', () => {
  it.each([
    [100, '100.0'],
    [-0, '-0.0'],
    [0.1, '0.1'],
    [1e15, '1000000000000000.0'],
    [1e16, '1e+16'],
    [1.5e300, '1.5e+300'],
    [0.0001, '0.0001'],
    [-0.00012, '-0.00012'],
    [0.00001, '1e-05'],
    [Number.POSITIVE_INFINITY, 'inf'],
    [Number.NaN, 'nan'],
  ])('writes %d as Python does', (value, text) => {
    expect(floatText(value)).toBe(text);
  });
});

describe('integers', () => {
  it('are read without fractions and of any length up to 4,300 digits', () => {
    expect(pythonInt(' +007 ')).toBe(7n);
    expect(pythonInt('-1_000')).toBe(-1000n);
    expect(pythonInt('3.0')).toBeNull();
    expect(pythonInt('9'.repeat(4300))).not.toBeNull();
    expect(pythonInt('9'.repeat(4301))).toBeNull();
  });

  it('come out of floats cut towards zero', () => {
    expect([3.9, -3.9, -0.5, 1e22].map(intText)).toEqual([
      '3',
      '-3',
      '0',
      '10000000000000000000000',
    ]);
    expect(intText(Number.NaN)).toBeNull();
  });
});

describe('rounding', () => {
  it.each([
    [0.5, 0, 0],
    [1.5, 0, 2],
    [2.5, 0, 2],
    [-2.5, 0, -2],
    [0.125, 2, 0.12],
    [0.375, 2, 0.38],
    [2.675, 2, 2.67],
    [1.005, 2, 1],
    [36.15, 1, 36.1],
    [1e22, 2, 1e22],
    [5e-324, 3, 0],
  ])('of the exact binary value: round(%d, %i)', (value, digits, rounded) => {
    expect(pythonRound(value, digits)).toBe(rounded);
  });

  it('differs in NumPy, which scales first', () => {
    expect(numpyRound(36.15, 1)).toBe(36.2);
    expect(numpyRound(0.25, 1)).toBe(0.2);
    expect(numpyRound(-0.3, 0)).toBe(-0);
  });

  it('keeps the sign and moves by at most half a unit', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.nat(6), (value, digits) => {
        const rounded = pythonRound(value, digits);

        expect(Math.abs(rounded - value)).toBeLessThanOrEqual(0.5 * 10 ** -digits + 1e-9);
        expect(pythonRound(-value, digits)).toBe(-rounded);
      }),
    );
  });

  it('refuses digits that are no small integer', () => {
    expect(() => pythonRound(1, 0.5)).toThrow('Expected digits to be an integer from 0 to 20');
  });
});

describe('text', () => {
  it('is stripped and split at what Python takes for white space', () => {
    expect(strip('\x1c \u3000a b\u2028\x85')).toBe('a b');
    expect(strip('\ufeffa')).toBe('\ufeffa');
    expect(splitOnSpaces(' a\x1db\u00a0c ')).toEqual(['a', 'b', 'c']);
  });

  it('is as long as it has code points', () => {
    expect(codePointLength('a\u{1f600}\ud800')).toBe(3);
  });
});
