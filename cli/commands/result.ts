/** `sticflow result`: the measures of a run, per round and policy, with intervals and artifacts. */
import type { Command } from 'commander';
import { openStore } from '../../store/store.ts';
import { type CommonOptions, newCommand, type Shell } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { readResult, resultTable } from '../result.ts';
import { isUnderWay, knownStatus } from './status.ts';

export function resultCommand(shell: Shell): Command {
  return newCommand('result', {
    summary: 'show what a run has found: measures with 95 % intervals',
    description: `Needs no server: the figures lie in the workspace. RUN is the last started run by default. Exit code 6
when the run is still under way and there may be more.`,
    examples: [
      ['sticflow result', 'tables for people'],
      [
        'sticflow result scenes-1f2e3d4c5b --json',
        'every measure with value, low, high, n; artifacts with sha256',
      ],
    ],
  })
    .argument('[run]', 'id of the run')
    .action(async (named: string | undefined, options: CommonOptions) => {
      await shell.perform(options, async (context) => {
        const { status } = await knownStatus(context, named);
        const result = await readResult(openStore(context.workspace), status);
        const exitCode = isUnderWay(status) ? EXIT.stillRunning : EXIT.done;
        return { document: result, text: resultTable(result), exitCode };
      });
    });
}
