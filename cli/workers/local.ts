/** The workers of this machine: one process a role below a supervisor, recorded in the workspace. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { TASK_QUEUES, WorkerRole } from '../../contract/api.ts';
import { hasErrorCode } from '../../store/errors.ts';
import { logsDir, packageRoot, workersFile } from '../../store/layout.ts';
import { notBuilt } from '../errors.ts';
import { isAlive } from '../temporal-server/exclusive.mjs';
import type { ServerLifetime } from '../temporal-server/launch.ts';
import { commandLine, signalProcess } from '../temporal-server/process.ts';

const SUPERVISOR = fileURLToPath(new URL('supervisor.mjs', import.meta.url));

/** The supervisor gives its workers two minutes to write checkpoints. */
const STOP_WITHIN_MS = 130_000;
const POLL_MS = 50;

/** Roles in the order of their queues. */
export const ROLES: readonly WorkerRole[] = [
  'orchestrator',
  'cpu',
  'gpu',
] satisfies (keyof typeof TASK_QUEUES)[];

const WorkersState = z.strictObject({
  supervisor_pid: z.int().positive(),
  workers: z.record(z.string(), z.int().positive()),
});

export interface LocalWorkers {
  readonly origin: 'started' | 'attached';
  /** Process ids by role, as of now. */
  pids(): Readonly<Record<string, number>>;
  /** Ends them, if this call started them. */
  stop(): Promise<void>;
}

interface StartOptions {
  readonly workspace: string;
  readonly lifetime: ServerLifetime;
  /** What a worker needs to reach the server; see `TemporalServer.workerEnvironment`. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The program of a worker; the same for every role. */
export function workerMain(): string {
  const main = join(packageRoot(), 'dist', 'workers', 'main.js');
  if (!existsSync(main)) throw notBuilt(main);
  return main;
}

/** Starts the workspace's workers, or attaches to those that run. */
export function startWorkers({ workspace, lifetime, environment }: StartOptions): LocalWorkers {
  const running = findSupervisor(workspace);
  if (running !== null) {
    if (lifetime === 'kept') signalProcess(running, 'SIGUSR2');
    return { origin: 'attached', pids: () => workerPids(workspace), stop: () => Promise.resolve() };
  }
  const supervisor = spawnSupervisor({ workspace, lifetime, environment });
  return {
    origin: 'started',
    pids: () => workerPids(workspace),
    stop: async () => {
      if (supervisor.pid !== undefined) await endSupervisor(supervisor.pid);
    },
  };
}

/** Ends the workspace's workers, whoever started them; trainings write a checkpoint first. */
export async function stopWorkers(workspace: string): Promise<'stopped' | 'was_not_running'> {
  const supervisor = findSupervisor(workspace);
  if (supervisor === null) return 'was_not_running';
  await endSupervisor(supervisor);
  return 'stopped';
}

/** Process ids of the workspace's workers by role; empty when there are none. */
export function workerPids(workspace: string): Readonly<Record<string, number>> {
  return findSupervisor(workspace) === null ? {} : (readState(workspace)?.workers ?? {});
}

/** Last lines of a worker's log, for the person whose worker does not start. */
export function workerLogTail(workspace: string, role: WorkerRole, numLines = 5): string {
  const file = join(logsDir(workspace), `worker-${role}.log`);
  if (!existsSync(file)) return '';
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-numLines).join('\n');
}

function spawnSupervisor({ workspace, lifetime, environment }: StartOptions): ChildProcess {
  const folder = logsDir(workspace);
  mkdirSync(folder, { recursive: true });
  const plan = {
    main: workerMain(),
    roles: ROLES,
    state_path: workersFile(workspace),
    log_folder: folder,
  };
  const log = openSync(join(folder, 'workers.log'), 'a', 0o600);
  const supervisor = spawn(process.execPath, [SUPERVISOR, JSON.stringify(plan)], {
    detached: true,
    env: { ...process.env, ...environment, STICFLOW_WORKSPACE: workspace },
    stdio: [lifetime === 'kept' ? 'ignore' : 'pipe', log, log],
  });
  supervisor.unref();
  if (supervisor.stdin !== null && 'unref' in supervisor.stdin) {
    (supervisor.stdin as { unref(): void }).unref(); // a pipe's Writable is a net.Socket
  }
  return supervisor;
}

/** A process id alone proves nothing after a reboot: the command line must name our file. */
function findSupervisor(workspace: string): number | null {
  const pid = readState(workspace)?.supervisor_pid;
  if (pid === undefined || !isAlive(pid)) return null;
  return commandLine(pid).includes(workersFile(workspace)) ? pid : null;
}

function readState(workspace: string): z.infer<typeof WorkersState> | null {
  try {
    const state: unknown = JSON.parse(readFileSync(workersFile(workspace), 'utf8'));
    return WorkersState.safeParse(state).data ?? null;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT') || error instanceof SyntaxError) return null;
    throw error;
  }
}

async function endSupervisor(pid: number): Promise<void> {
  signalProcess(pid, 'SIGTERM');
  const deadline = performance.now() + STOP_WITHIN_MS;
  while (isAlive(pid) && performance.now() < deadline) await wait(POLL_MS);
  if (isAlive(pid)) signalProcess(pid, 'SIGKILL');
}
