/** `sticflow extend`: adds rounds to a run that is under way. */
import { type Command, InvalidArgumentError } from 'commander';
import { UPDATES } from '../../contract/api.ts';
import { type CommonOptions, newCommand, type Shell } from '../command.ts';
import { sendUpdate } from '../send-update.ts';

export function extendCommand(shell: Shell): Command {
  return newCommand('extend', {
    summary: 'add rounds to a run that is under way',
    examples: [
      ['sticflow extend 2', 'two more rounds for the last started run'],
      ['sticflow extend 1 scenes-1f2e3d4c5b', 'one more for a certain run'],
    ],
  })
    .argument('<rounds>', 'rounds to add', wholeNumber)
    .argument('[run]', 'id of the run')
    .action(async (rounds: number, named: string | undefined, options: CommonOptions) => {
      await shell.perform(options, async (context) =>
        sendUpdate(context, named, {
          name: UPDATES.extendRounds,
          args: [{ rounds }],
          verb: 'extend',
        }),
      );
    });
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number of rounds, 1 or more.');
}
