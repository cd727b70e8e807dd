/** Starting a child workflow under an id that an earlier run may have used. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ApplicationFailure,
  type ChildWorkflowHandle,
  type ChildWorkflowOptions,
  sleep,
  startChild,
  type WithWorkflowArgs,
  type Workflow,
} from '@temporalio/workflow';

/** The server ends the children of a terminated run a moment after it, not with it. */
const ATTEMPTS = 10;

/** Waits for a child of an earlier, terminated run to make room, for about ten seconds. */
export async function startChildAnew<T extends Workflow>(
  workflowType: string,
  options: WithWorkflowArgs<T, ChildWorkflowOptions> & { readonly workflowId: string },
): Promise<ChildWorkflowHandle<T>> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    try {
      return await startChild<T>(workflowType, options);
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      await sleep('1s', { summary: `${options.workflowId} of an earlier run is still there` });
    }
  }
  throw ApplicationFailure.nonRetryable(
    `Expected no workflow ${options.workflowId} to be running, but an earlier run's still is; ` +
      'cancel or terminate it, then start the run again.',
    'ChildStillRunning',
  );
}
