import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testsOf } from '../../../benchmarks/measures.ts';
import { holm, mcnemar, permutationTest } from '../../../benchmarks/significance.ts';
import type { ScoredItem } from '../../../contract/measures.ts';

const OPTIONS = { num_resamples: 2000, seed: 7, benchmark: 'scenes' };

/** Images with one item each: scores of the first policy and of the second. */
const scored = (pairs: readonly (readonly [from: number, to: number])[]) =>
  pairs.map(([from, to]) => ({
    from: [{ numerator: from, denominator: 1 }],
    to: [{ numerator: to, denominator: 1 }],
  }));

describe('mcnemar', () => {
  // scipy.stats.binomtest(min(fixed, broken), fixed + broken, 0.5).pvalue
  it.each([
    [10, 2, 158 / 4096], // 2 (1 + 12 + 66) / 2^12
    [1, 3, 10 / 16], // 2 (1 + 4) / 2^4
    [6, 0, 2 / 64],
    [5, 5, 1],
    [0, 0, 1],
  ])('of %i fixed and %i broken is exact', (fixed, broken, expected) => {
    expect(mcnemar(fixed, broken)).toBeCloseTo(expected, 12);
    expect(mcnemar(broken, fixed)).toBe(mcnemar(fixed, broken));
  });

  it('does not underflow where 5,000 answers changed', () => {
    // 2 * sum(math.comb(5000, k) for k in range(2401)) / 2**5000, in Python's whole numbers
    expect(mcnemar(2600, 2400)).toBeCloseTo(0.004883649737517518, 10);
  });
});

describe('permutationTest', () => {
  it('tries all exchanges where there are few', () => {
    // Of 2^5 exchanges two are as extreme as five gains of one.
    const gains = scored(Array.from({ length: 5 }, () => [0, 1] as const));

    expect(permutationTest(gains, OPTIONS)).toBe(2 / 32);
  });

  it('weighs graded scores by their size', () => {
    // Differences .3 -.1 .5 .2 sum to .9. Of the 16 sums of +-.3 +-.1 +-.5 +-.2 four reach .9:
    // scipy.stats.permutation_test((to, from), mean difference, permutation_type='samples').pvalue
    const graded = scored([
      [0.2, 0.5],
      [0.6, 0.5],
      [0.1, 0.6],
      [0.4, 0.6],
    ]);

    expect(permutationTest(graded, OPTIONS)).toBe(4 / 16);
  });

  it('comes close to the exact value where exchanges are drawn', () => {
    const pairs = scored(
      Array.from({ length: 14 }, (_, index) => [0, index % 4 === 0 ? -1 - index : index] as const),
    );
    const exact = permutationTest(pairs, { num_resamples: 2 ** 14, seed: 1 });
    const drawn = permutationTest(pairs, { num_resamples: 2 ** 13, seed: 1 });

    expect(exact).toBeGreaterThan(0.01);
    // Three standard errors of a share of 8,192 draws.
    expect(Math.abs((drawn ?? 1) - (exact ?? 1))).toBeLessThan(
      3 * Math.sqrt(((exact ?? 1) * (1 - (exact ?? 1))) / 2 ** 13) + 1 / 2 ** 13,
    );
  });

  it('counts the questions of one image together', () => {
    const together = [0, 1, 2].map(() => ({
      from: [{ numerator: 0, denominator: 4 }],
      to: [{ numerator: 4, denominator: 4 }],
    }));
    // Three images are exchanged, not twelve questions: 2 / 2^3.
    expect(permutationTest(together, OPTIONS)).toBe(2 / 8);
  });

  it('is the same for the same seed, and never 0', () => {
    const gains = scored(Array.from({ length: 40 }, () => [0, 1] as const));

    expect(permutationTest(gains, OPTIONS)).toBe(1 / 2001);
    expect(permutationTest(gains, OPTIONS)).toBe(permutationTest(gains, OPTIONS));
  });

  it('says nothing where a side counts nothing', () => {
    const empty = [
      { from: [{ numerator: 0, denominator: 0 }], to: [{ numerator: 1, denominator: 1 }] },
    ];
    expect(permutationTest(empty, OPTIONS)).toBeNull();
    expect(permutationTest([], OPTIONS)).toBeNull();
  });

  it('finds equal policies equal', () => {
    const equal = scored([
      [1, 1],
      [0, 0],
    ]);

    expect(permutationTest(equal, OPTIONS)).toBe(1);
  });
});

describe('holm', () => {
  it('multiplies the smallest by their number, and never falls', () => {
    // statsmodels.stats.multitest.multipletests([.01, .04, .03, .005], method='holm')[1]
    const adjusted = holm([0.01, 0.04, 0.03, 0.005]);

    for (const [index, expected] of [0.03, 0.06, 0.06, 0.02].entries()) {
      expect(adjusted[index]).toBeCloseTo(expected, 12);
    }
  });

  it('leaves a single test alone and stops at 1', () => {
    expect(holm([0.2])).toEqual([0.2]);
    expect(holm([0.6, 0.7])).toEqual([1, 1]);
    expect(holm([])).toEqual([]);
  });

  it('keeps the order of the p-values and only raises them', () => {
    const pValues = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
    fc.assert(
      fc.property(pValues, (values) => {
        const adjusted = holm(values);
        return values.every(
          (value, a) =>
            (adjusted[a] ?? 0) >= value &&
            values.every((other, b) => value >= other || (adjusted[a] ?? 0) <= (adjusted[b] ?? 0)),
        );
      }),
    );
  });
});

describe('testsOf', () => {
  const answer = (id: string, image: number, score: number): ScoredItem => ({
    type: 'answer',
    item_id: `${id}/direct`,
    image_id: String(image).padStart(64, '0'),
    mode: 'direct',
    question: 'What?',
    question_type: 'color',
    expected: 'red',
    text: 'red',
    parsed: 'red',
    score,
  });
  const answers = (scores: readonly number[], imageOf: (index: number) => number) =>
    scores.map((score, index) => answer(String(index), imageOf(index), score));

  it('holds right and wrong answers about different images against McNemar', () => {
    const own = (index: number) => index;
    const tests = testsOf(answers([0, 0, 1, 0], own), answers([1, 1, 0, 1], own), OPTIONS);

    // Three fixed, one broken.
    expect(tests['accuracy']).toEqual({ test: 'mcnemar', p_value: 10 / 16 });
  });

  it('holds graded scores, and questions that share an image, against a permutation', () => {
    const own = (index: number) => index;
    const graded = testsOf(answers([0, 0.3], own), answers([0.9, 1], own), OPTIONS);
    expect(graded['accuracy']).toEqual({ test: 'permutation', p_value: 2 / 4 });

    const shared = (index: number) => index % 2;
    const clustered = testsOf(
      answers([0, 0, 0, 0], shared),
      answers([1, 1, 1, 1], shared),
      OPTIONS,
    );
    expect(clustered['accuracy']).toEqual({ test: 'permutation', p_value: 2 / 4 });
  });
});
