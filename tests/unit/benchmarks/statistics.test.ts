import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Cluster, differenceInterval, ratioInterval } from '../../../benchmarks/statistics.ts';

const OPTIONS = { num_resamples: 2000, seed: 7 };

const one = (numerator: number, denominator = 1): Cluster => ({ numerator, denominator });
const repeated = (times: number, cluster: Cluster): Cluster[] =>
  Array.from({ length: times }, () => cluster);

describe('ratioInterval', () => {
  it('is the sum of numerators over the sum of denominators', () => {
    // (1 + 2) / (1 + 5), not the mean of 1/1 and 2/5
    expect(ratioInterval([one(1, 1), one(2, 5)], OPTIONS)?.value).toBe(0.5);
  });

  it('comes close to the normal interval of a share', () => {
    const clusters = [...repeated(200, one(1)), ...repeated(200, one(0))];

    const interval = ratioInterval(clusters, OPTIONS);

    // 1.96 * sqrt(0.25 / 400) = 0.049
    expect(interval?.low).toBeCloseTo(0.451, 2);
    expect(interval?.high).toBeCloseTo(0.549, 2);
  });

  it('is wider when the questions of an image stand or fall together', () => {
    const apart = [...repeated(200, one(1)), ...repeated(200, one(0))];
    const together = [...repeated(50, one(4, 4)), ...repeated(50, one(0, 4))];

    const width = (clusters: Cluster[]): number => {
      const interval = ratioInterval(clusters, OPTIONS);
      if (interval === null) throw new Error('no interval');
      return interval.high - interval.low;
    };

    // Four times fewer independent units: twice the width.
    expect(width(together) / width(apart)).toBeCloseTo(2, 0);
  });

  it('covers the true share in about 95 of 100 samples', () => {
    const TRUE_SHARE = 0.7;
    let covered = 0;
    for (let sample = 0; sample < 300; sample += 1) {
      // A Weyl sequence: evenly spread, a different stretch for each sample.
      const clusters = Array.from({ length: 80 }, (_, index) => {
        const bits = Math.imul(sample * 80 + index + 1, 2654435761) >>> 0;
        const mixed = Math.imul(bits ^ (bits >>> 15), 2246822519) >>> 0;
        return one((mixed ^ (mixed >>> 13)) >>> 0 < TRUE_SHARE * 2 ** 32 ? 1 : 0);
      });
      const interval = ratioInterval(clusters, { num_resamples: 400, seed: sample });
      if (interval !== null && interval.low <= TRUE_SHARE && TRUE_SHARE <= interval.high)
        covered += 1;
    }

    expect(covered / 300).toBeGreaterThan(0.9);
    expect(covered / 300).toBeLessThan(0.99);
  });

  it('gives the same interval for the same seed and another for another', () => {
    const clusters = [one(1), one(0), one(1), one(1), one(0), one(3, 4), one(2, 3)];

    expect(ratioInterval(clusters, OPTIONS)).toEqual(ratioInterval(clusters, OPTIONS));
    expect(ratioInterval(clusters, OPTIONS)).not.toEqual(
      ratioInterval(clusters, { ...OPTIONS, num_resamples: 101, seed: 8 }),
    );
  });

  it('is absent when nothing was counted', () => {
    expect(ratioInterval([], OPTIONS)).toBeNull();
    expect(ratioInterval([one(0, 0), one(0, 0)], OPTIONS)).toBeNull();
  });

  it('is a point when all images agree', () => {
    expect(ratioInterval(repeated(5, one(1)), OPTIONS)).toEqual({ value: 1, low: 1, high: 1 });
  });

  it('always holds the value between 0 and 1 for shares, low before high', () => {
    const share = fc
      .tuple(fc.nat(5), fc.nat(5))
      .map(([a, b]) => one(Math.min(a, b), Math.max(a, b)));
    fc.assert(
      fc.property(fc.array(share, { maxLength: 20 }), fc.maxSafeNat(), (clusters, seed) => {
        const interval = ratioInterval(clusters, { num_resamples: 100, seed });
        if (interval === null) return clusters.every(({ denominator }) => denominator === 0);
        return 0 <= interval.low && interval.low <= interval.high && interval.high <= 1;
      }),
    );
  });
});

describe('differenceInterval', () => {
  it('is narrower than the intervals of its sides when images are paired', () => {
    // The second policy mends 20 of 100 images and breaks none.
    const pairs = Array.from({ length: 100 }, (_, index) => ({
      from: one(index < 50 ? 1 : 0),
      to: one(index < 70 ? 1 : 0),
    }));

    const difference = differenceInterval(pairs, OPTIONS);

    expect(difference?.value).toBeCloseTo(0.2, 12);
    // 1.96 * sqrt(0.2 * 0.8 / 100) = 0.078; unpaired it would be 0.133
    expect(difference?.low).toBeCloseTo(0.122, 1);
    expect(difference?.low).toBeGreaterThan(0.1);
    expect(difference?.high).toBeLessThan(0.3);
  });

  it('is exactly zero for two equal policies', () => {
    const pairs = [1, 0, 1].map((score) => ({ from: one(score), to: one(score) }));

    expect(differenceInterval(pairs, OPTIONS)).toEqual({ value: 0, low: 0, high: 0 });
  });

  it('is absent when one side counts nothing', () => {
    expect(differenceInterval([{ from: one(0, 0), to: one(1) }], OPTIONS)).toBeNull();
  });
});
