/** `sticflow cancel`: ends a run; what is finished stays, and `retry` goes on from it. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import { workflowId } from '../../contract/api.ts';
import { type CommonOptions, type Context, newCommand, type Shell } from '../command.ts';
import { cancelIsSlow } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import type { Outcome } from '../output.ts';
import { readEnding } from '../progress/follow.ts';
import { chooseRun } from '../run-file.ts';
import { requireUnderWay } from '../send-update.ts';
import { openSession } from '../session.ts';

/** A training writes a checkpoint before it ends; then the last report is written. */
const CANCELLED_WITHIN_MS = 60_000;
const LOOK_AGAIN_MS = 250;

export function cancelCommand(shell: Shell): Command {
  return newCommand('cancel', {
    summary: 'end a run at once, keeping what is finished',
    description: 'A training writes a checkpoint first; `sticflow retry` goes on from there.',
    examples: [['sticflow cancel', 'the last started run']],
  })
    .argument('[run]', 'id of the run')
    .action(async (named: string | undefined, options: CommonOptions) => {
      await shell.perform(options, async (context) => cancel(context, named));
    });
}

async function cancel(
  { workspace, io, signal }: Context,
  named: string | undefined,
): Promise<Outcome> {
  const runId = await chooseRun(workspace, named);
  const session = await openSession(workspace, io);
  try {
    await requireUnderWay(session, runId, 'cancel');
    await session.client.workflow.getHandle(workflowId(runId)).cancel();
    const deadline = performance.now() + CANCELLED_WITHIN_MS;
    while (performance.now() < deadline && !signal.aborted) {
      const ending = await readEnding(session.client, workflowId(runId));
      if (ending !== null) {
        return { document: { run_id: runId, state: ending }, text: `run ${runId} · ${ending}` };
      }
      await wait(LOOK_AGAIN_MS);
    }
    const document = { run_id: runId, state: 'cancelling' };
    return { document, text: cancelIsSlow(runId), exitCode: EXIT.stillRunning };
  } finally {
    await session.close();
  }
}
