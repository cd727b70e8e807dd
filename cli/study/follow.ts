/** Watches a study until it ends: a line for every run that begins or ends. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { STATUS_QUERY, studyWorkflowId } from '../../contract/api.ts';
import { StudyStatus } from '../../contract/study.ts';
import { noWorkersNote, serverAwayNote } from '../errors.ts';
import { type Io, say } from '../output.ts';
import { type Ending, readEnding } from '../progress/follow.ts';
import { isQueryUnanswered, isUnreachable } from '../temporal-errors.ts';

/** Milliseconds between two looks. */
const INTERVAL_MS = 1000;
/** Looks without an answer before a person is told; a busy machine misses a few. */
const QUIET_LOOKS = 20;
/** Looks at a server that is away before watching is given up; the study itself never is. */
const PATIENT_LOOKS = 300;

interface FollowOptions {
  readonly io: Io;
  readonly signal: AbortSignal;
}

/** @throws the signal's reason when watching was stopped; ServiceError when the server stays away */
export async function followStudy(
  client: Client,
  studyId: string,
  { io, signal }: FollowOptions,
): Promise<Ending> {
  const shown = new Map<string, string>();
  let message = '';
  let missed = 0;
  for (;;) {
    signal.throwIfAborted();
    try {
      const ending = await readEnding(client, studyWorkflowId(studyId));
      const status = await statusOf(client, studyId);
      missed = status === null ? missed + 1 : 0;
      if (missed === QUIET_LOOKS) say(io, noWorkersNote());
      if (status !== null) {
        sayChanges(io, status, shown);
        if (status.message !== message) say(io, status.message);
        message = status.message;
      }
      if (ending !== null) return ending;
    } catch (error) {
      if (!isUnreachable(error) || missed > PATIENT_LOOKS) throw error;
      missed += 1;
      if (missed === QUIET_LOOKS) say(io, serverAwayNote());
    }
    await wait(INTERVAL_MS, undefined, { signal });
  }
}

function sayChanges(io: Io, { runs }: StudyStatus, shown: Map<string, string>): void {
  const over = runs.filter(({ state }) => state !== 'waiting' && state !== 'running').length;
  for (const { arm, seed, state } of runs) {
    const run = `${arm} · seed ${String(seed)}`;
    if (state === 'waiting' || shown.get(run) === state) continue;
    shown.set(run, state);
    say(io, `${run}: ${state.replace('_', ' ')} (${String(over)} of ${String(runs.length)} over)`);
  }
}

async function statusOf(client: Client, studyId: string): Promise<StudyStatus | null> {
  try {
    const handle = client.workflow.getHandle(studyWorkflowId(studyId));
    return StudyStatus.parse(await handle.query(STATUS_QUERY));
  } catch (error) {
    if (isQueryUnanswered(error)) return null;
    throw error;
  }
}
