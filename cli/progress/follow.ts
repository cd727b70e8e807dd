/** Watches a run until it ends. The run does not notice; servers and workers may come and go. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { RunStatus } from '../../contract/status.ts';
import { noWorkersNote, serverAwayNote } from '../errors.ts';
import type { Io } from '../output.ts';
import { isQueryUnanswered, isUnreachable } from '../temporal-errors.ts';
import { ProgressMeter } from './meter.ts';
import { progressView } from './render.ts';
import { readSnapshot, type Snapshot } from './snapshot.ts';

/** Milliseconds between two looks at the run. */
const INTERVAL_MS = 1000;
/**
 * Looks without an answer after which nobody answers. One alone proves nothing: a query waits for workflow tasks, and on
 * a busy machine longer than its deadline.
 */
const LOOKS_WITHOUT_ANSWER = 2;
/** Seconds that the server may be away before watching is given up; the run itself never is. */
const PATIENCE_SECONDS = 300;

/** How a run ended, as far as Temporal knows. */
export type Ending = 'completed' | 'cancelled' | 'failed';

interface FollowOptions {
  readonly io: Io;
  /** Stops watching, not the run. */
  readonly signal: AbortSignal;
}

/**
 * Shows progress until the run is over; returns how it ended and its last status (null when no
 * worker answered any more).
 *
 * @throws the signal's reason when watching was stopped; ServiceError when the server stays away
 */
export async function followRun(
  client: Client,
  workflowId: string,
  { io, signal }: FollowOptions,
): Promise<{ ending: Ending; status: RunStatus | null }> {
  const view = progressView(io);
  const meter = new ProgressMeter();
  let status: RunStatus | null = null;
  let lastContact = performance.now();
  let unanswered = 0;
  try {
    for (;;) {
      signal.throwIfAborted();
      try {
        const ending = await readEnding(client, workflowId);
        const look = await lookAt(client, workflowId);
        lastContact = performance.now();
        unanswered = look === null ? unanswered + 1 : 0;
        if (look !== null) {
          const at = performance.now() / 1000;
          view.update(look.status, meter.observe(look, at), at);
          status = look.status;
        } else if (ending === null && unanswered >= LOOKS_WITHOUT_ANSWER) {
          view.note(noWorkersNote());
        }
        if (ending !== null) return { ending, status };
      } catch (error) {
        const away = (performance.now() - lastContact) / 1000;
        if (!isUnreachable(error) || away > PATIENCE_SECONDS) throw error;
        view.note(serverAwayNote());
      }
      await wait(INTERVAL_MS, undefined, { signal });
    }
  } finally {
    view.end();
  }
}

/** Null while the run goes on; continued-as-new counts as going on. */
export async function readEnding(client: Client, workflowId: string): Promise<Ending | null> {
  const { status } = await client.workflow.getHandle(workflowId).describe();
  switch (status.name) {
    case 'RUNNING':
    case 'CONTINUED_AS_NEW':
    case 'PAUSED':
      return null;
    case 'COMPLETED':
      return 'completed';
    case 'CANCELLED':
      return 'cancelled';
    default:
      return 'failed';
  }
}

/** Null when the server is there and no worker answers the query. */
async function lookAt(client: Client, workflowId: string): Promise<Snapshot | null> {
  try {
    return await readSnapshot(client, workflowId);
  } catch (error) {
    if (!isQueryUnanswered(error)) throw error;
    return null;
  }
}
