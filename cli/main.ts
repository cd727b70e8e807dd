#!/usr/bin/env node
/** The program `sticflow`: real streams, real signals, an exit code. */
import { runCli } from './program.ts';

const interruption = new AbortController();
let interruptions = 0;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    interruptions += 1;
    // The second Ctrl-C is for a command that takes too long to leave.
    if (interruptions > 1) process.exit(130);
    interruption.abort(new Error(`interrupted by ${signal}`));
  });
}
// A closed pipe, as behind `| head`, ends the talking only.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

process.exitCode = await runCli(process.argv.slice(2), process, interruption.signal);
