/** `sticflow down`: stops the workers and the embedded server; runs wait for the next `up`. */
import type { Command } from 'commander';
import { type CommonOptions, newCommand, type Shell } from '../command.ts';
import { stopEmbeddedServer } from '../temporal-server/embedded.ts';
import { stopWorkers } from '../workers/local.ts';

export function downCommand(shell: Shell): Command {
  return newCommand('down', {
    summary: 'stop the background workers and the embedded server',
    description:
      'Trainings write a checkpoint first. Runs that are under way lose nothing and go on at the next `sticflow up`.',
    examples: [['sticflow down', 'stop both']],
  }).action(async (options: CommonOptions) => {
    await shell.perform(options, async ({ workspace }) => {
      // Workers first: they tell the server that they leave, so that nothing waits for a timeout.
      const workers = await stopWorkers(workspace);
      const server = await stopEmbeddedServer(workspace);
      const told = (what: string): string => what.replaceAll('_', ' ');
      return {
        document: { workers, server },
        text: `workers: ${told(workers)}\nserver: ${told(server)}`,
      };
    });
  });
}
