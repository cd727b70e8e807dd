import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seedFor, shuffledOrder, uniform } from '../../../store/random.ts';

describe('seedFor', () => {
  it('is what it was when the first artifacts were made', () => {
    // Another value here would change the bytes of every run: bump the stage versions then.
    expect(seedFor(0, 1, 'preference_training')).toMatchInlineSnapshot(`7564301978078811`);
    expect(uniform(7, 'rejection', 'image-1')).toMatchInlineSnapshot(`0.8184248878996897`);
    expect(shuffledOrder(42, 8)).toMatchInlineSnapshot(`
      [
        0,
        6,
        4,
        5,
        3,
        7,
        1,
        2,
      ]
    `);
  });

  it('fits a JavaScript integer for any purpose', () => {
    fc.assert(
      fc.property(fc.nat(), fc.string(), (seed, purpose) => {
        const drawn = seedFor(seed, purpose);
        expect(Number.isSafeInteger(drawn)).toBe(true);
        expect(drawn).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it('tells purposes apart that concatenate to the same text', () => {
    expect(seedFor(1, 'a', 'b')).not.toBe(seedFor(1, 'ab'));
    expect(seedFor(1, 1)).not.toBe(seedFor(1, '1'));
  });
});

describe('uniform', () => {
  it('is even: each tenth of 20,000 draws holds a tenth, within 4 sigma', () => {
    const counts = new Array<number>(10).fill(0);
    for (let item = 0; item < 20_000; item += 1) {
      const bin = Math.floor(uniform(3, 'item', item) * 10);
      counts[bin] = (counts[bin] ?? 0) + 1;
    }

    // sigma = sqrt(20000 * 0.1 * 0.9) = 42.4
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(170);
  });
});

describe('shuffledOrder', () => {
  it('holds every number once', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(300), (seed, n) => {
        const sorted = shuffledOrder(seed, n).sort((a, b) => a - b);
        expect(sorted).toEqual(Array.from({ length: n }, (_, index) => index));
      }),
    );
  });

  it('puts each number first about equally often', () => {
    const counts = [0, 0, 0, 0];
    for (let seed = 0; seed < 4000; seed += 1) {
      const first = shuffledOrder(seed, 4)[0] ?? -1;
      counts[first] = (counts[first] ?? 0) + 1;
    }

    // sigma = sqrt(4000 * 0.25 * 0.75) = 27.4
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(110);
  });
});
