/** Which roles have a worker that asks the server for work, on whatever machine. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import { TASK_QUEUES, type WorkerRole } from '../../contract/api.ts';
import { ROLES } from './local.ts';

type Request = Parameters<Connection['workflowService']['describeTaskQueue']>[0];
type QueueType = NonNullable<Request['taskQueueType']>;

// temporal.api.enums.v1.TaskQueueType: the enum itself is in a package that is not ours to import.
const WORKFLOW = 1 as unknown as QueueType;
const ACTIVITY = 2 as unknown as QueueType;

/** A poll ends after a minute at the latest, so a living worker was seen within this time. */
const FRESH_MS = 70_000;
const LOOK_AGAIN_MS = 200;

interface Place {
  readonly connection: Connection;
  readonly namespace: string;
}

/** Roles without a worker, in the order of {@link ROLES}. */
export async function missingRoles(place: Place): Promise<WorkerRole[]> {
  const polled = await Promise.all(ROLES.map(async (role) => isPolled(place, role)));
  return ROLES.filter((_, index) => polled[index] === false);
}

/** Waits until every role has a worker; returns the roles that still have none. */
export async function waitForWorkers(place: Place, timeoutMs: number): Promise<WorkerRole[]> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const missing = await missingRoles(place);
    if (missing.length === 0 || performance.now() > deadline) return missing;
    await wait(LOOK_AGAIN_MS);
  }
}

async function isPolled({ connection, namespace }: Place, role: WorkerRole): Promise<boolean> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: TASK_QUEUES[role] },
    taskQueueType: role === 'orchestrator' ? WORKFLOW : ACTIVITY,
  });
  const oldest = Date.now() - FRESH_MS;
  return pollers.some(
    ({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 >= oldest,
  );
}
