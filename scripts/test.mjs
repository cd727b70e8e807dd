// `npm test [-- VITEST ARGS]`: set-up, then both suites. The second runs whatever the first says.
import { join } from 'node:path';
import { bootstrapOrExit, ROOT } from './bootstrap.mjs';
import { pythonCommand } from './python.mjs';
import { runProgram } from './run-program.mjs';

await bootstrapOrExit({ purpose: 'test' });

const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
const suites = [
  {
    name: 'TypeScript (vitest)',
    file: process.execPath,
    args: [vitest, 'run', ...process.argv.slice(2)],
  },
  { name: 'Python (pytest)', ...pythonCommand(['-m', 'pytest', '-c', 'python/pyproject.toml']) },
];

const results = [];
for (const { name, file, args, env } of suites) {
  const code = await runProgram(file, args, { cwd: ROOT, env: env ?? process.env });
  results.push({ name, code });
}
for (const { name, code } of results) {
  console.log(`${code === 0 ? 'passed' : `FAILED (exit code ${code})`}: ${name}`);
}
process.exitCode = results.every(({ code }) => code === 0) ? 0 : 1;
