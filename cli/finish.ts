/** Follows a run to its end and says what came out. */
import { existsSync } from 'node:fs';
import { workflowId } from '../contract/api.ts';
import type { RunStatus } from '../contract/status.ts';
import { reportFile } from '../store/layout.ts';
import { openStore } from '../store/store.ts';
import type { Context } from './command.ts';
import { detached, runCancelled, runFailed } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { type Outcome, say } from './output.ts';
import { followRun } from './progress/follow.ts';
import { readResult, resultTable } from './result.ts';
import { statusOf } from './run-status.ts';
import type { Session } from './session.ts';

/**
 * Shows progress until the run ends. Ctrl-C leaves the run alone and ends with 130.
 *
 * @throws CliError with exit code 4 or 5 when the run failed or was cancelled
 */
export async function followToEnd(
  { io, signal }: Context,
  session: Session,
  runId: string,
): Promise<Outcome> {
  const id = workflowId(runId);
  try {
    const { ending } = await followRun(session.client, id, { io, signal });
    if (ending === 'cancelled') throw runCancelled(runId);
    if (ending === 'failed') throw await failureOfRun(session, runId);
    return await resultOutcome(session, runId);
  } catch (error) {
    if (!signal.aborted) throw error;
    say(io, detached(runId));
    const document = { run_id: runId, state: 'running', ui_url: await runUrl(session, runId) };
    return { document, text: '', exitCode: EXIT.interrupted };
  }
}

/** The outcome of a run that is completed. */
export async function resultOutcome(session: Session, runId: string): Promise<Outcome> {
  const { workspace, client } = session;
  const known = await statusOf(workspace, runId, client);
  if (known === null) throw new Error(`run ${runId} is completed and has no status`);
  const result = await readResult(openStore(workspace), known.status);
  const report = reportPath(workspace, known.status);
  return {
    document: { ...result, report, ui_url: await runUrl(session, runId) },
    text: `${resultTable(result)}\n\nreport: ${report ?? '(none was written)'}`,
  };
}

/** Path of a run's report, or null when none was written. */
export function reportPath(workspace: string, status: Pick<RunStatus, 'run_id'>): string | null {
  const file = reportFile(workspace, status.run_id);
  return existsSync(file) ? file : null;
}

/** The run's page in the web UI, if we know where that is. */
export async function runUrl({ server, client }: Session, runId: string): Promise<string | null> {
  if (server.uiUrl === undefined) return null;
  const id = workflowId(runId);
  const { runId: execution } = await client.workflow.getHandle(id).describe();
  return `${server.uiUrl}/${encodeURIComponent(id)}/${execution}`;
}

async function failureOfRun({ client }: Session, runId: string): Promise<Error> {
  try {
    await client.workflow.getHandle(workflowId(runId)).result();
    return new Error(`run ${runId} failed, but its result is there`);
  } catch (error) {
    return runFailed(runId, error);
  }
}
