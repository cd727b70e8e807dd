// `npm start [-- ARGS]`: set-up, then the demo run on the embedded model.
import { join } from 'node:path';
import { bootstrapOrExit, ROOT } from './bootstrap.mjs';
import { runProgram } from './run-program.mjs';

await bootstrapOrExit();
const main = join(ROOT, 'dist', 'cli', 'main.js');
process.exitCode = await runProgram(process.execPath, [main, 'demo', ...process.argv.slice(2)]);
