/** `sticflow pause`: start nothing new in a run until it is resumed. */
import type { Command } from 'commander';
import { UPDATES } from '../../contract/api.ts';
import { type CommonOptions, newCommand, type Shell } from '../command.ts';
import { sendUpdate } from '../send-update.ts';

export function pauseCommand(shell: Shell): Command {
  return newCommand('pause', {
    summary: 'start nothing new in a run until it is resumed',
    description: `What runs already (a shard, a training) goes on to its end: the state is \`pausing\` until then, \`paused\` after.`,
    examples: [['sticflow pause', 'the last started run']],
  })
    .argument('[run]', 'id of the run')
    .action(async (named: string | undefined, options: CommonOptions) => {
      await shell.perform(options, async (context) =>
        sendUpdate(context, named, { name: UPDATES.pause, verb: 'pause' }),
      );
    });
}
