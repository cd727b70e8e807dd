/**
 * Where a run stands: from its workflow while a server and a worker are there, else as the last
 * report in the workspace has it. Reading never needs more than is running.
 */
import { readFile } from 'node:fs/promises';
import type { Client } from '@temporalio/client';
import { workflowId } from '../contract/api.ts';
import { RunStatus } from '../contract/status.ts';
import { hasErrorCode } from '../store/errors.ts';
import { statusFile } from '../store/layout.ts';
import { parseJson } from '../store/lines.ts';
import { readEnding } from './progress/follow.ts';
import { readStatus } from './progress/snapshot.ts';
import { readRun, unknownRunIn } from './run-file.ts';
import { isNotFound, isQueryUnanswered } from './temporal-errors.ts';

export interface KnownStatus {
  readonly status: RunStatus;
  /** `report`: as the last report has it, which may be behind the run. */
  readonly from: 'workflow' | 'report';
}

/**
 * `client` is null when no server runs.
 *
 * @throws CliError when neither the server nor the workspace knows the run
 */
export async function statusOf(
  workspace: string,
  runId: string,
  client: Client | null,
): Promise<KnownStatus | null> {
  const live = client === null ? null : await liveStatus(client, runId);
  if (live !== null) return { status: live, from: 'workflow' };
  const reported = await reportedStatus(workspace, runId);
  if (reported !== null) return { status: reported, from: 'report' };
  if ((await readRun(workspace, runId)) === null) throw await unknownRunIn(workspace, runId);
  return null;
}

/** Null when the server does not know the run, or no worker answers for it. */
async function liveStatus(client: Client, runId: string): Promise<RunStatus | null> {
  const id = workflowId(runId);
  try {
    const ending = await readEnding(client, id);
    // A completed run needs no worker to tell its last status.
    if (ending !== 'completed') return await readStatus(client, id);
    return RunStatus.parse(await client.workflow.getHandle(id).result());
  } catch (error) {
    if (isNotFound(error) || isQueryUnanswered(error)) return null;
    throw error;
  }
}

async function reportedStatus(workspace: string, runId: string): Promise<RunStatus | null> {
  try {
    const file = statusFile(workspace, runId);
    return parseJson(await readFile(file, 'utf8'), RunStatus, file);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT') || error instanceof RangeError) return null;
    throw error;
  }
}
