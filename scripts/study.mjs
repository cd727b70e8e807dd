// `npm run -s study -- NAME --quick [--json]`: set-up, then a study. Progress and tables go to stderr; the last line
// on stdout is one JSON document with the table and the page's path.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { bootstrapOrExit, ROOT } from './bootstrap.mjs';

await bootstrapOrExit();
const main = join(ROOT, 'dist', 'cli', 'main.js');
const args = process.argv.slice(2).filter((arg) => arg !== '--json');
const child = spawn(process.execPath, [main, 'study', ...args, '--json'], {
  stdio: ['inherit', 'pipe', 'inherit'],
});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
// Ctrl-C reaches the whole foreground group by itself.
process.on('SIGINT', () => undefined);
const chunks = [];
child.stdout.on('data', (chunk) => chunks.push(chunk));
child.on('close', (code) => {
  const text = Buffer.concat(chunks).toString('utf8');
  if (text.trimStart().startsWith('{'))
    process.stdout.write(`${JSON.stringify(JSON.parse(text))}\n`);
  else process.stdout.write(text);
  process.exitCode = code ?? 1;
});
