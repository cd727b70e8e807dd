/** When things happened in a run, by the server's own clock. */
import type { Client } from '@temporalio/client';
import type { History } from '@temporalio/common/lib/proto-utils.js';
import { SEARCH_ATTRIBUTES, TASK_QUEUES, workflowId } from '../contract/api.ts';

export interface RunTimes {
  /** From the start of the run to its end, over all rounds. */
  readonly wall_seconds: number;
  /** Sum over the activities of the gpu queue: last start to end. */
  readonly model_work_seconds: number;
  readonly num_model_activities: number;
  /** Of all histories together, and of the longest one. */
  readonly events: { readonly total: number; readonly longest_history: number };
}

type Timestamp = NonNullable<NonNullable<History['events']>[number]['eventTime']>;

/** Reads the histories of a run and of everything below it. */
export async function runTimes(client: Client, runId: string): Promise<RunTimes> {
  const query = `${SEARCH_ATTRIBUTES.run.name} = '${runId}'`;
  const lengths: number[] = [];
  const work: number[] = [];
  const border: number[] = [];
  for await (const execution of client.workflow.list({ query })) {
    const handle = client.workflow.getHandle(execution.workflowId, execution.runId);
    const history = await handle.fetchHistory();
    const events = history.events ?? [];
    lengths.push(events.length);
    work.push(...modelWork(history));
    if (execution.workflowId === workflowId(runId)) {
      border.push(seconds(events.at(0)?.eventTime), seconds(events.at(-1)?.eventTime));
    }
  }
  return {
    wall_seconds: Math.max(...border) - Math.min(...border),
    model_work_seconds: sum(work),
    num_model_activities: work.length,
    events: { total: sum(lengths), longest_history: Math.max(...lengths) },
  };
}

/** Seconds of each finished activity of the gpu queue. */
function modelWork({ events }: History): number[] {
  const onGpu = new Set<number>();
  const starts = new Map<number, number>();
  const work: number[] = [];
  for (const event of events ?? []) {
    const asked = event.activityTaskScheduledEventAttributes;
    if (asked?.taskQueue?.name === TASK_QUEUES.gpu) onGpu.add(Number(event.eventId));
    const started = event.activityTaskStartedEventAttributes?.scheduledEventId;
    if (started != null) starts.set(Number(started), seconds(event.eventTime));
    const ended = event.activityTaskCompletedEventAttributes?.scheduledEventId;
    if (ended == null || !onGpu.has(Number(ended))) continue;
    work.push(seconds(event.eventTime) - (starts.get(Number(ended)) ?? Number.NaN));
  }
  return work;
}

function seconds(time: Timestamp | null | undefined): number {
  return Number(time?.seconds ?? Number.NaN) + (time?.nanos ?? 0) / 1e9;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
