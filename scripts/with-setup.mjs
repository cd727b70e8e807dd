// `node scripts/with-setup.mjs ENTRY.ts [ARGS]`: set-up with the development tools, then a TypeScript program
// from the source tree (benchmarks, chaos plans, studies). Set-up speaks on stderr: stdout is the program's.
import { join } from 'node:path';
import { bootstrapOrExit, ROOT } from './bootstrap.mjs';
import { runProgram } from './run-program.mjs';

const [entry, ...args] = process.argv.slice(2);
await bootstrapOrExit({ purpose: 'test' });
process.exitCode = await runProgram(
  process.execPath,
  ['--import', 'tsx', join(ROOT, entry), ...args],
  { cwd: ROOT },
);
