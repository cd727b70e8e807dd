import { describe, expect, it } from 'vitest';
import { levelInterval, pairedInterval } from '../../../studies/intervals.ts';

const OPTIONS = { num_resamples: 4000, seed: 7 };

/** Every image adds one question, right (1) or wrong (0), or a share of it. */
function scored(scores: readonly number[]) {
  return new Map(scores.map((numerator, image) => [`i${image}`, { numerator, denominator: 1 }]));
}

function paired(differences: readonly number[]) {
  return new Map(
    differences.map((difference, image) => [
      `i${image}`,
      {
        from: { numerator: 0.5, denominator: 1 },
        to: { numerator: 0.5 + difference, denominator: 1 },
      },
    ]),
  );
}

describe('the interval of a level', () => {
  it('is a ratio of sums, not a mean of ratios', () => {
    const seed = new Map([
      ['a', { numerator: 1, denominator: 1 }],
      ['b', { numerator: 0, denominator: 3 }],
    ]);

    expect(levelInterval([seed], OPTIONS)?.value).toBe(0.25);
  });

  it('is the mean over seeds', () => {
    const value = levelInterval([scored([1, 1]), scored([0, 1])], OPTIONS)?.value;

    expect(value).toBe(0.75);
  });

  it('is null where nothing stands below the line', () => {
    expect(levelInterval([new Map([['a', { numerator: 0, denominator: 0 }]])], OPTIONS)).toBeNull();
  });
});

describe('the interval of a paired difference', () => {
  it('has no width where every seed and image agrees', () => {
    const interval = pairedInterval([paired([0.25, 0.25]), paired([0.25, 0.25])], OPTIONS);

    expect(interval).toEqual({ value: 0.25, low: 0.25, high: 0.25 });
  });

  it('spans the seeds where images agree and seeds do not', () => {
    // Two draws of two seeds: both the first (a quarter), one of each (a half), both the second.
    const interval = pairedInterval([paired([0, 0]), paired([0.5, 0.5])], OPTIONS);

    expect(interval).toEqual({ value: 0.25, low: 0, high: 0.5 });
  });

  it('spans the images where seeds agree and images do not', () => {
    const interval = pairedInterval([paired([0, 0.5]), paired([0, 0.5])], OPTIONS);

    expect(interval).toEqual({ value: 0.25, low: 0, high: 0.5 });
  });

  it('draws the same image for every seed: what differs by image does not average out', () => {
    // Drawn on their own, 64 seeds times 2 images would leave an interval about 0.09 wide.
    const seeds = Array.from({ length: 64 }, () => paired([0, 0.5]));

    expect(pairedInterval(seeds, OPTIONS)).toEqual({ value: 0.25, low: 0, high: 0.5 });
  });

  it('is the same on every machine', () => {
    const seeds = [paired([0.1, -0.2, 0.3, 0]), paired([0.2, 0, 0.1, -0.1])];

    expect(pairedInterval(seeds, OPTIONS)).toEqual(pairedInterval(seeds, OPTIONS));
  });
});
