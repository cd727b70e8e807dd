/** The failure of a run as a person reads it. */
import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  TemporalFailure,
  TimeoutFailure,
} from '@temporalio/workflow';

/**
 * The failure at the root of nested activity and child workflow failures, as the failure of the
 * run itself: with its own sentence and type, the rest in `cause`. Not retried by the server: the
 * activities had their attempts.
 */
export function runFailure(error: TemporalFailure): ApplicationFailure {
  let root: TemporalFailure = error;
  let activity = '';
  while (root instanceof ActivityFailure || root instanceof ChildWorkflowFailure) {
    if (root instanceof ActivityFailure) activity = root.activityType;
    if (!(root.cause instanceof TemporalFailure)) break;
    root = root.cause;
  }
  const type = root instanceof ApplicationFailure ? root.type : null;
  const sentence =
    root instanceof TimeoutFailure
      ? `No attempt of ${activity} ended in time (${root.timeoutType}).`
      : root.message;
  return ApplicationFailure.create({
    message: sentence,
    type: type ?? 'Internal',
    nonRetryable: true,
    cause: error,
  });
}
