/** Waits until a server that was just started answers, and makes its namespace ready for runs. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { TemporalServerError } from './errors.ts';
import { keepClosedRuns, registerSearchAttributes } from './namespace.ts';
import { serverFiles } from './state.ts';

/** A new database takes about two seconds on a small machine, many times that on a busy one. */
const READY_WITHIN_MILLISECONDS = 90_000;

const POLL_MILLISECONDS = 100;

const LOG_LINES = 5;

interface Awaited {
  readonly workspace: string;
  readonly address: string;
  readonly namespace: string;
  /** The supervisor, when it is our child: its end means that there is nothing to wait for. */
  readonly supervisor?: ChildProcess;
}

/** @throws {@link TemporalServerError} when the server ends or does not answer in time */
export async function waitUntilReady(awaited: Awaited): Promise<void> {
  const { address, namespace, supervisor, workspace } = awaited;
  const deadline = performance.now() + READY_WITHIN_MILLISECONDS;
  for (;;) {
    const connection = await tryConnect(address);
    if (connection !== undefined) {
      try {
        await registerSearchAttributes({ connection, namespace, address });
        await keepClosedRuns(connection, namespace);
        return;
      } finally {
        await connection.close();
      }
    }
    const ended = supervisor !== undefined && supervisor.exitCode !== null;
    if (ended || performance.now() > deadline) {
      const what = ended ? 'ended while starting' : 'did not answer in time';
      throw new TemporalServerError(
        `The embedded Temporal server (${address}) ${what}; its log ${serverFiles(workspace).log} ends with:\n${logTail(workspace)}`,
      );
    }
    await delay(POLL_MILLISECONDS);
  }
}

async function tryConnect(address: string): Promise<Connection | undefined> {
  try {
    return await Connection.connect({ address, connectTimeout: '2s' });
  } catch {
    return undefined;
  }
}

/** Last lines of the server's log, for the sentence that says why it is not there. */
export function logTail(workspace: string): string {
  const { log } = serverFiles(workspace);
  if (!existsSync(log)) return '';
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-LOG_LINES).join('\n');
}
