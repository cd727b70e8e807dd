/** `sticflow resume`: let a paused run go on. */
import type { Command } from 'commander';
import { UPDATES } from '../../contract/api.ts';
import { type CommonOptions, newCommand, type Shell } from '../command.ts';
import { sendUpdate } from '../send-update.ts';

export function resumeCommand(shell: Shell): Command {
  return newCommand('resume', {
    summary: 'let a paused run go on',
    description: `Refused with exit code 3 when the run is not paused.`,
    examples: [['sticflow resume', 'the last started run']],
  })
    .argument('[run]', 'id of the run')
    .action(async (named: string | undefined, options: CommonOptions) => {
      await shell.perform(options, async (context) =>
        sendUpdate(context, named, { name: UPDATES.resume, verb: 'resume' }),
      );
    });
}
