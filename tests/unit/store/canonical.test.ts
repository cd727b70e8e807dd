import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, sha256Hex } from '../../../store/canonical.ts';

describe('canonicalJson', () => {
  it('writes the same text for the same value in any key order', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        expect(canonicalJson(withKeysReversed(value))).toBe(canonicalJson(value));
      }),
    );
  });

  it('reads back as the value it was written from', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        // JSON has one zero: -0 is written as 0.
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('sorts keys by code unit, not by locale', () => {
    expect(canonicalJson({ a: 1, B: 2, ä: 3, 10: 4, 9: 5 })).toBe(
      '{"10":4,"9":5,"B":2,"a":1,"ä":3}',
    );
  });

  it('formats numbers as ECMAScript does, so that floats are stable', () => {
    expect(canonicalJson([1e-7, 1 / 1024, 0.1 + 0.2, 1e21, -0, 5])).toBe(
      '[1e-7,0.0009765625,0.30000000000000004,1e+21,0,5]',
    );
  });

  it.each([
    ['undefined', { a: { b: undefined } }, '$.a.b, got undefined'],
    ['NaN', [1, Number.NaN], '$[1], got NaN'],
    ['Infinity', { a: Number.POSITIVE_INFINITY }, '$.a, got Infinity'],
    ['a hole', new Array(1), '$[0], got undefined'],
    ['a date', { at: new Date(0) }, '$.at, got Date'],
    ['a bigint', 1n, '$, got bigint'],
  ])('refuses %s and names its place', (_name, value, message) => {
    expect(() => canonicalJson(value)).toThrow(message);
  });
});

describe('sha256Hex', () => {
  it('hashes text as UTF-8', () => {
    // `printf abc | sha256sum`
    expect(sha256Hex('abc')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    expect(sha256Hex('é')).toBe(sha256Hex(new Uint8Array([0xc3, 0xa9])));
  });
});

function withKeysReversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withKeysReversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, withKeysReversed(item)]),
  );
}
