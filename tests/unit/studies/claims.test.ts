import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PaperResults } from '../../../contract/paper-results.ts';
import type { StudyClaim } from '../../../contract/study.ts';
import { paperResultsFile } from '../../../store/layout.ts';
import { paperDelta, verdictOf } from '../../../studies/claims.ts';
import { spearman, spearmanInterval } from '../../../studies/correlation.ts';

const paper = PaperResults.parse(JSON.parse(readFileSync(paperResultsFile(), 'utf8')));

function claim(difference: StudyClaim['paper']): StudyClaim {
  const side = { row: 'r', measure: 'accuracy' };
  return {
    name: 'c',
    text: 'A claim.',
    sizes: null,
    from: side,
    to: side,
    expected: 'higher',
    paper: difference,
  };
}

describe('the verdict on a claim', () => {
  it.each([
    { low: 0.01, high: 0.09, expected: 'higher', verdict: 'holds' },
    { low: -0.09, high: -0.01, expected: 'higher', verdict: 'does_not_hold' },
    { low: -0.09, high: -0.01, expected: 'lower', verdict: 'holds' },
    { low: 0.01, high: 0.09, expected: 'lower', verdict: 'does_not_hold' },
    { low: -0.01, high: 0.09, expected: 'higher', verdict: 'undecided' },
    { low: 0, high: 0.09, expected: 'higher', verdict: 'undecided' },
    { low: -0.09, high: 0, expected: 'lower', verdict: 'undecided' },
  ] as const)('of $low to $high, expected $expected: $verdict', (example) => {
    expect(verdictOf(example, example.expected, 3)).toBe(example.verdict);
  });

  it('is never decided by one seed, however clear its images are', () => {
    expect(verdictOf({ low: 0.3, high: 0.4 }, 'higher', 1)).toBe('undecided');
  });

  it('is that nothing was measured when a side is missing', () => {
    expect(verdictOf(null, 'higher', 3)).toBe('not_measured');
    expect(verdictOf(null, 'higher', 0)).toBe('not_measured');
  });
});

describe("the paper's difference", () => {
  it('is the later row minus the earlier one, as printed', () => {
    // Table 2: 52.5 - 54.8.
    const dar = { table: 'table2', column: 'Average', from: 'Original', to: 'Original + DaR' };

    expect(paperDelta(paper, claim(dar))).toBe(-2.3);
  });

  it('is null where a figure could not be recovered, and where none is named', () => {
    const stage1 = { table: 'figure6', column: 'ScienceQA', from: 'Original', to: 'Stage 1' };

    expect(paperDelta(paper, claim(stage1))).toBeNull();
    expect(paperDelta(paper, claim(null))).toBeNull();
  });

  it('of a row that does not exist is an error that names it', () => {
    const wrong = { table: 'table2', column: 'Average', from: 'Orignal', to: 'STIC' };

    expect(() => paperDelta(paper, claim(wrong))).toThrow(/"Orignal", "STIC", "Average"/);
  });
});

describe("Spearman's correlation", () => {
  it('is 1 for any rising order and -1 for any falling one', () => {
    expect(
      spearman([
        [1, 10],
        [2, 11],
        [3, 1000],
      ]),
    ).toBe(1);
    expect(
      spearman([
        [1, 5],
        [2, 4],
        [3, -7],
      ]),
    ).toBe(-1);
  });

  it('gives equal values the mean of their ranks', () => {
    // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5).
    const ties = [
      [1, 1],
      [2, 2],
      [2, 3],
      [3, 4],
    ] as const;

    expect(spearman(ties)).toBeCloseTo(4.5 / Math.sqrt(22.5), 12);
  });

  it('is undefined where one side does not vary', () => {
    expect(
      spearman([
        [1, 1],
        [2, 1],
      ]),
    ).toBeNull();
    expect(
      spearmanInterval(
        [
          [1, 1],
          [2, 1],
        ],
        { num_resamples: 100, seed: 1 },
      ),
    ).toBeNull();
  });

  it('has an interval that includes zero where the sides have nothing to do with each other', () => {
    const pairs = Array.from({ length: 60 }, (_, i) => [i, (i * 37) % 60] as const);
    const interval = spearmanInterval(pairs, { num_resamples: 1000, seed: 1 });

    expect(interval?.low).toBeLessThan(0);
    expect(interval?.high).toBeGreaterThan(0);
  });
});
