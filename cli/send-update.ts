/** Sends an update to a run: accepted and done, or refused with the workflow's own sentence. */

import { workflowId } from '../contract/api.ts';
import { RunStatus } from '../contract/status.ts';
import type { Context } from './command.ts';
import { runIsOver } from './errors.ts';
import type { Outcome } from './output.ts';
import { readEnding } from './progress/follow.ts';
import { chooseRun, unknownRunIn } from './run-file.ts';
import { openSession, type Session } from './session.ts';
import { isNotFound } from './temporal-errors.ts';

interface Update {
  /** Name of the update on the wire. */
  readonly name: string;
  readonly args?: [unknown];
  /** For the sentence that refuses it to a run that is over: `nothing to pause`. */
  readonly verb: string;
}

/** @throws CliError with exit code 3 when the run refuses */
export async function sendUpdate(
  { workspace, io }: Context,
  named: string | undefined,
  { name, args, verb }: Update,
): Promise<Outcome> {
  const runId = await chooseRun(workspace, named);
  const session = await openSession(workspace, io);
  try {
    await requireUnderWay(session, runId, verb);
    const handle = session.client.workflow.getHandle(workflowId(runId));
    const answer: unknown =
      args === undefined
        ? await handle.executeUpdate(name)
        : await handle.executeUpdate(name, { args });
    const status = RunStatus.parse(answer);
    return { document: status, text: `run ${runId} · ${status.state} · ${status.message}` };
  } finally {
    await session.close();
  }
}

/** @throws CliError when the run is over or unknown */
export async function requireUnderWay(
  { client, workspace }: Session,
  runId: string,
  verb: string,
): Promise<void> {
  try {
    const ending = await readEnding(client, workflowId(runId));
    if (ending !== null) throw runIsOver(runId, ending, verb);
  } catch (error) {
    throw isNotFound(error) ? await unknownRunIn(workspace, runId) : error;
  }
}
