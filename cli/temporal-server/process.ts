/** The two processes of an embedded server, supervisor and Temporal CLI: are they there, and how to end them. */
import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { hasErrorCode } from '../../store/errors.ts';
import { isAlive } from './exclusive.mjs';
import { type ServerState, serverFiles } from './state.ts';

/** The supervisor gives the server ten seconds before it uses SIGKILL. */
const STOP_WITHIN_MILLISECONDS = 15_000;

const POLL_MILLISECONDS = 50;

/**
 * Process ids of this workspace's server that are really its own. A process id alone proves nothing: after a
 * reboot it may be anybody's, so the command line must name the database file.
 */
export function liveProcesses(workspace: string, state: ServerState | undefined) {
  const { database } = serverFiles(workspace);
  const own = (pid: number | undefined): number | undefined =>
    pid !== undefined && isAlive(pid) && commandLine(pid).includes(database) ? pid : undefined;
  return { supervisor: own(state?.supervisor_pid), server: own(state?.pid) };
}

/** Program and arguments of a process; empty when there is none. */
export function commandLine(pid: number): string {
  try {
    return execFileSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    // ps ends with 1 when the process went away meanwhile.
    return '';
  }
}

/** Signals a process; one that is gone already counts as told. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasErrorCode(error, 'ESRCH')) throw error;
  }
}

/** Asks a process to end, waits for it, and uses SIGKILL when it does not. */
export async function endProcess(pid: number): Promise<void> {
  signalProcess(pid, 'SIGTERM');
  const deadline = performance.now() + STOP_WITHIN_MILLISECONDS;
  while (isAlive(pid) && performance.now() < deadline) await delay(POLL_MILLISECONDS);
  if (isAlive(pid)) signalProcess(pid, 'SIGKILL');
}
