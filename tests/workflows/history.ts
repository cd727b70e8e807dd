/** What tests read out of the histories that the server keeps. */
import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { History, Payload } from '@temporalio/common/lib/proto-utils.js';

type HistoryEvent = NonNullable<History['events']>[number];

interface ScheduledActivity {
  readonly name: string;
  readonly summary: unknown;
  /** Event ids; `end` is null while it runs. */
  readonly scheduled: number;
  readonly end: number | null;
}

/** @param runId - default: the last execution under that id. */
export async function historyOf(client: Client, workflowId: string, runId?: string) {
  return client.workflow.getHandle(workflowId, runId).fetchHistory();
}

/** In the order in which the workflow asked for them. */
export function activitiesOf(history: History): ScheduledActivity[] {
  const events = history.events ?? [];
  const ends = new Map(events.map((event) => [scheduledIdOf(event), Number(event.eventId)]));
  return events.flatMap(({ eventId, activityTaskScheduledEventAttributes: asked, userMetadata }) =>
    asked?.activityType?.name == null
      ? []
      : [
          {
            name: asked.activityType.name,
            summary: decode(userMetadata?.summary),
            scheduled: Number(eventId),
            end: ends.get(Number(eventId)) ?? null,
          },
        ],
  );
}

/** The largest number of activities that were open together. */
export function mostAtOnce(history: History): number {
  const activities = activitiesOf(history);
  const open = activities.map(
    ({ scheduled }) =>
      activities.filter(
        (other) => other.scheduled <= scheduled && (other.end === null || other.end > scheduled),
      ).length,
  );
  return Math.max(0, ...open);
}

/** Event ids and arguments of a signal. */
export function signalsOf(history: History, name: string) {
  return (history.events ?? []).flatMap(
    ({ eventId, workflowExecutionSignaledEventAttributes: signal }) =>
      signal?.signalName === name
        ? [{ event: Number(eventId), argument: decode(signal.input?.payloads?.[0]) }]
        : [],
  );
}

/** The execution that this one continues as new, and the input it was given. */
export function originOf(history: History) {
  const started = history.events?.[0]?.workflowExecutionStartedEventAttributes;
  return {
    continuedFrom: started?.continuedExecutionRunId ?? '',
    input: decode(started?.input?.payloads?.[0]),
  };
}

/** How the execution ended. */
export function endOf(history: History): string {
  const last = history.events?.at(-1) ?? {};
  const end = Object.keys(last).find((key) => key.endsWith('EventAttributes'));
  return end?.replace('workflowExecution', '').replace('EventAttributes', '') ?? 'running';
}

function scheduledIdOf(event: HistoryEvent): number | null {
  const end =
    event.activityTaskCompletedEventAttributes ??
    event.activityTaskFailedEventAttributes ??
    event.activityTaskCanceledEventAttributes ??
    event.activityTaskTimedOutEventAttributes;
  return end?.scheduledEventId == null ? null : Number(end.scheduledEventId);
}

function decode(payload: Payload | null | undefined): unknown {
  return payload == null ? undefined : defaultPayloadConverter.fromPayload(payload);
}
