import { describe, expect, it } from 'vitest';
import { differences } from '../../../scripts/parity/differences.ts';
import { isParityDataThere, NO_PARITY_DATA } from '../../../scripts/parity/files.ts';
import { PARITY_FUNCTIONS } from '../../../scripts/parity/functions.ts';
import { PARITY_RUNS, scoreRun } from '../../../scripts/parity/runs.ts';

/** Left out only outside CI, and never in silence. */
function withoutData(): boolean {
  if (isParityDataThere()) return false;
  if (process.env['CI'] !== undefined) throw new Error(NO_PARITY_DATA);
  process.stderr.write(`SKIPPED: parity of the scorers. ${NO_PARITY_DATA}\n`);
  return true;
}

describe.skipIf(withoutData())('scores of real answers equal those of the official scripts', () => {
  it.each(PARITY_RUNS)('$benchmark $answers $judgements', async (run) => {
    const { metrics, items } = await scoreRun(run);

    expect(differences(metrics, run.metrics())).toEqual([]);

    const { items: expected, itemText } = run;
    if (expected === undefined || itemText === undefined) return;
    const read = new Map(items.map((item) => [item.item_id, itemText(item)]));
    expect(differences(Object.fromEntries(read), Object.fromEntries(expected()))).toEqual([]);
  });

  it.each(Object.entries(PARITY_FUNCTIONS))('%s, case by case', (_, cases) => {
    const all = cases();

    expect(all.length).toBeGreaterThan(5);
    for (const { what, got, expected } of all) expect(got, what).toEqual(expected);
  });

  it('in less than ten seconds together', async () => {
    const started = performance.now();

    for (const run of PARITY_RUNS) await scoreRun(run);

    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
