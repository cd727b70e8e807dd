/** `sticflow watch`: follows a run that is under way. */
import type { Command } from 'commander';
import { workflowId } from '../../contract/api.ts';
import { type CommonOptions, newCommand, type Shell } from '../command.ts';
import { followToEnd } from '../finish.ts';
import { readEnding } from '../progress/follow.ts';
import { chooseRun, unknownRunIn } from '../run-file.ts';
import { openSession, sayWhereToLook } from '../session.ts';
import { isNotFound } from '../temporal-errors.ts';

export function watchCommand(shell: Shell): Command {
  return newCommand('watch', {
    summary: 'follow a run until it ends',
    description:
      'Only reads: it can be closed and opened again at any time. RUN is the last started run by default.',
    examples: [
      ['sticflow watch', 'the last started run'],
      ['sticflow watch scenes-1f2e3d4c5b', 'a certain run'],
    ],
  })
    .argument('[run]', 'id of the run')
    .action(async (named: string | undefined, options: CommonOptions) => {
      await shell.perform(options, async (context) => {
        const { workspace, io } = context;
        const runId = await chooseRun(workspace, named);
        const session = await openSession(workspace, io);
        try {
          await readEnding(session.client, workflowId(runId));
          sayWhereToLook(session, io);
          return await followToEnd(context, session, runId);
        } catch (error) {
          throw isNotFound(error) ? await unknownRunIn(workspace, runId) : error;
        } finally {
          await session.close();
        }
      });
    });
}
