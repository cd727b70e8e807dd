/**
 * What a run is doing at this moment: its status query and the heartbeats of its pending
 * activities. Reads only; a run does not notice who watches.
 */
import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { HeartbeatDetails } from '../../contract/activities.ts';
import { STATUS_QUERY } from '../../contract/api.ts';
import { RunStatus } from '../../contract/status.ts';
import { isNotFound } from '../temporal-errors.ts';

/** Milliseconds that a status query may take before the workers count as away. */
const QUERY_TIMEOUT_MS = 10_000;

/** An activity that has begun and not ended. */
export interface ActivityProgress {
  /** The same for all attempts of one activity. */
  readonly id: string;
  readonly type: string;
  readonly attempt: number;
  readonly heartbeat: HeartbeatDetails | null;
  readonly lastFailure: string | null;
}

export interface Snapshot {
  readonly status: RunStatus;
  readonly activities: readonly ActivityProgress[];
}

type Description = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['describe']>>;
type PendingActivity = NonNullable<Description['raw']['pendingActivities']>[number];

/** @throws ServiceError when the server or the workers are away. */
export async function readSnapshot(client: Client, workflowId: string): Promise<Snapshot> {
  const [status, activities] = await Promise.all([
    readStatus(client, workflowId),
    readActivities(client, workflowId),
  ]);
  return { status, activities };
}

/** @throws ServiceError when the server or the workers are away. */
export async function readStatus(client: Client, workflowId: string): Promise<RunStatus> {
  return await client.withDeadline(Date.now() + QUERY_TIMEOUT_MS, async () => {
    const answer: unknown = await client.workflow.getHandle(workflowId).query(STATUS_QUERY);
    return RunStatus.parse(answer);
  });
}

/** Pending activities of a run and of the rounds and fan-outs below it. */
async function readActivities(client: Client, workflowId: string): Promise<ActivityProgress[]> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  const own = (raw.pendingActivities ?? []).map((activity) => toProgress(workflowId, activity));
  const children = (raw.pendingChildren ?? []).flatMap(({ workflowId: child }) => child ?? []);
  const below = await Promise.all(children.map(async (child) => activitiesBelow(client, child)));
  return [...own, ...below.flat()];
}

/** A child that its parent has asked for counts as pending before the server has made it. */
async function activitiesBelow(client: Client, child: string): Promise<ActivityProgress[]> {
  try {
    return await readActivities(client, child);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return [];
  }
}

function toProgress(workflowId: string, activity: PendingActivity): ActivityProgress {
  const [payload] = activity.heartbeatDetails?.payloads ?? [];
  const details: unknown = payload ? defaultPayloadConverter.fromPayload(payload) : null;
  // A worker of another version may beat in words that this one does not know: then there is no hint.
  const heartbeat = HeartbeatDetails.safeParse(details);
  return {
    id: `${workflowId}#${activity.activityId ?? ''}`,
    type: activity.activityType?.name ?? '',
    attempt: activity.attempt ?? 1,
    heartbeat: heartbeat.success ? heartbeat.data : null,
    lastFailure: activity.lastFailure?.message ?? null,
  };
}
