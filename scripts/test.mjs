// `npm test [-- VITEST ARGS]`: set-up, then both suites. The second runs whatever the first says.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { bootstrapOrExit, ROOT } from './bootstrap.mjs';
import { pythonCommand } from './python.mjs';
import { runProgram } from './run-program.mjs';

/** Of the claims that failed, so many are told again at the end; a log's tail may be all that is kept. */
const CLAIMS_TOLD = 12;
const MESSAGE_CHARACTERS = 400;

await bootstrapOrExit({ purpose: 'test' });

const folder = mkdtempSync(join(tmpdir(), 'sticflow-test-'));
const claims = join(folder, 'vitest.json');
const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${claims}`];
const suites = [
  { name: 'Python (pytest)', ...pythonCommand(['-m', 'pytest', '-c', 'python/pyproject.toml']) },
  {
    name: 'TypeScript (vitest)',
    file: process.execPath,
    args: [vitest, 'run', ...reporters, ...process.argv.slice(2)],
  },
];

const results = [];
for (const { name, file, args, env } of suites) {
  const code = await runProgram(file, args, { cwd: ROOT, env: env ?? process.env });
  results.push({ name, code });
}
for (const failed of failedClaims(claims).slice(0, CLAIMS_TOLD)) console.log(failed);
for (const { name, code } of results) {
  console.log(`${code === 0 ? 'passed' : `FAILED (exit code ${code})`}: ${name}`);
}
rmSync(folder, { recursive: true, force: true });
process.exitCode = results.every(({ code }) => code === 0) ? 0 : 1;

/** Lines about the claims, and files as a whole, that vitest's JSON report says failed. */
function failedClaims(file) {
  let report;
  try {
    report = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    return [`vitest left no report of its claims: ${error.message}`];
  }
  return report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const where = relative(ROOT, name);
    const failed = assertionResults.filter((claim) => claim.status === 'failed');
    if (status === 'failed' && failed.length === 0) return [told(where, message)];
    return failed.map((claim) =>
      told(`${where} > ${claim.fullName}`, claim.failureMessages.join(' | ')),
    );
  });
}

function told(claim, message) {
  const [what = ''] = message.split(/\n\s+at /u);
  const short = what.replaceAll(/\s+/gu, ' ').slice(0, MESSAGE_CHARACTERS);
  return `failed: ${claim}: ${short}`;
}
