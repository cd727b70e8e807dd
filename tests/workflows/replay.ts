/** Replays recorded histories against workflow code. */
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { type ReplayResult, Worker, type WorkerOptions } from '@temporalio/worker';
import type { RecordedHistory } from './recordings.ts';
import { installRuntime } from './runtime.ts';

/** Results in the order of the histories; what went wrong is in `error`. */
export async function replay(
  workflowBundle: NonNullable<WorkerOptions['workflowBundle']>,
  recorded: readonly RecordedHistory[],
): Promise<ReplayResult[]> {
  installRuntime();
  const histories = recorded.map(({ workflow_id, history }) => ({
    workflowId: workflow_id,
    history: historyFromJSON(history),
  }));
  const results: ReplayResult[] = [];
  for await (const result of Worker.runReplayHistories({ workflowBundle }, histories)) {
    results.push(result);
  }
  return results;
}
