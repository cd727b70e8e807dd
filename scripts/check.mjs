// `npm run check`: every checker, one after the other; all of them run, any red one makes the whole red.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './bootstrap/command.mjs';
import { bootstrapOrExit, ROOT } from './bootstrap.mjs';

await bootstrapOrExit({ purpose: 'check' });

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const names = Object.keys(scripts).filter((name) => name.startsWith('check:'));
let failed = 0;
for (const name of names) {
  const started = performance.now();
  const { code, output } = await runCommand('npm', ['run', '--silent', name], {
    cwd: ROOT,
    logPath: join(ROOT, 'check.log'),
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  if (code === 0) continue;
  failed += 1;
  console.log(output.trimEnd());
}
console.log(`check: ${names.length - failed} of ${names.length} passed`);
process.exitCode = failed === 0 ? 0 : 1;
