/** What an interval carries of a claim, and the published difference beside it. Pure. */
import type { Measure } from '../contract/measures.ts';
import type { PaperResults } from '../contract/paper-results.ts';
import type { StudyClaim, Verdict } from '../contract/study.ts';

/** Below this many seeds an interval says nothing about other seeds, so it carries no claim. */
export const MIN_SEEDS = 2;

/** `holds` and `does_not_hold` need an interval that lies on one side of zero. */
export function verdictOf(
  delta: Pick<Measure, 'low' | 'high'> | null,
  expected: StudyClaim['expected'],
  numSeeds: number,
): Verdict {
  if (delta === null || numSeeds === 0) return 'not_measured';
  if (numSeeds < MIN_SEEDS) return 'undecided';
  const sign = delta.low > 0 ? 1 : delta.high < 0 ? -1 : 0;
  if (sign === 0) return 'undecided';
  return sign > 0 === (expected === 'higher') ? 'holds' : 'does_not_hold';
}

/**
 * The difference in the paper, in its own points; null where one of the figures is not known.
 *
 * @throws RangeError when the table, the column or a row does not exist: a mistake in the study's file.
 */
export function paperDelta({ tables }: PaperResults, claim: StudyClaim): number | null {
  if (claim.paper === null) return null;
  const { table: name, column, from, to } = claim.paper;
  const table = tables[name];
  const place = table?.columns.indexOf(column) ?? -1;
  const [before, after] = [table?.rows[from], table?.rows[to]];
  if (before === undefined || after === undefined || place === -1) {
    throw new RangeError(
      `Expected the claim "${claim.name}" to name rows and a column of a table of config/paper-results.json, got ${name}: "${from}", "${to}", "${column}".`,
    );
  }
  const [low, high] = [before[place] ?? null, after[place] ?? null];
  // Printed with one or two decimals: more would be noise of binary fractions.
  return low === null || high === null ? null : Number((high - low).toFixed(2));
}
