/** `sticflow stop`: end a run after its present round. */
import type { Command } from 'commander';
import { UPDATES } from '../../contract/api.ts';
import { type CommonOptions, newCommand, type Shell } from '../command.ts';
import { sendUpdate } from '../send-update.ts';

export function stopCommand(shell: Shell): Command {
  return newCommand('stop', {
    summary: 'end a run after its present round',
    description: `The round is finished, evaluated and reported, and no other one begins. To end a run at once use \`sticflow cancel\`.`,
    examples: [['sticflow stop', 'the last started run']],
  })
    .argument('[run]', 'id of the run')
    .action(async (named: string | undefined, options: CommonOptions) => {
      await shell.perform(options, async (context) =>
        sendUpdate(context, named, { name: UPDATES.stopAfterRound, verb: 'stop' }),
      );
    });
}
