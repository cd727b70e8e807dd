/**
 * `npm run -s parity`: scores all of the parity data and prints how far it agrees with the official
 * scripts, field by field and item by item. Exit code 1 when anything differs.
 */
import { differences } from './parity/differences.ts';
import { isParityDataThere, NO_PARITY_DATA } from './parity/files.ts';
import { PARITY_FUNCTIONS } from './parity/functions.ts';
import { PARITY_RUNS, type ParityRun, scoreRun } from './parity/runs.ts';

if (!isParityDataThere()) {
  console.error(NO_PARITY_DATA);
  process.exit(2);
}

const started = performance.now();
const problems: string[] = [];
const rows: string[][] = [['benchmark', 'answers', 'metrics', 'items that agree']];

for (const run of PARITY_RUNS) {
  const score = await scoreRun(run);
  const wrong = differences(score.metrics, run.metrics());
  problems.push(...wrong.map((line) => `${run.benchmark} ${run.answers} ${line}`));
  const answers = run.judgements ?? run.answers;
  const metrics = wrong.length === 0 ? 'equal' : `${String(wrong.length)} differ`;
  rows.push([run.benchmark, answers, metrics, agreement(run, score.items)]);
}
for (const [name, cases] of Object.entries(PARITY_FUNCTIONS)) {
  const all = cases();
  const wrong = all.filter(({ got, expected }) => differences(got, expected).length > 0);
  problems.push(...wrong.map(({ what }) => `${name}: ${JSON.stringify(what.slice(0, 80))}`));
  rows.push([name, '', '', `${String(all.length - wrong.length)} of ${String(all.length)}`]);
}

/** How many of the items with a known answer were read as the official script reads them. */
function agreement(run: ParityRun, items: Awaited<ReturnType<typeof scoreRun>>['items']): string {
  if (run.items === undefined || run.itemText === undefined) return '';
  const expected = run.items();
  const read = new Map(items.map((item) => [item.item_id, run.itemText?.(item)]));
  const wrong = [...expected].filter(([id, text]) => read.get(id) !== text);
  problems.push(...wrong.map(([id]) => `${run.benchmark} ${run.answers} item ${id}`));
  return `${String(expected.size - wrong.length)} of ${String(expected.size)}`;
}

const widths = [0, 1, 2, 3].map((column) =>
  Math.max(...rows.map((row) => row[column]?.length ?? 0)),
);
for (const row of rows) {
  console.log(
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(
  `\n${problems.length === 0 ? 'all agree' : `${String(problems.length)} differences`}, ${seconds} s`,
);
for (const problem of problems.slice(0, 40)) console.log(`  ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;
