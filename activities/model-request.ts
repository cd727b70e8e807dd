/** A request to the model process as part of an activity: its messages become the heartbeat. */
import { asyncLocalStorage } from '@temporalio/activity';
import type {
  ModelProcessMessage,
  ModelProcessRequest,
  ResultMessage,
} from '../contract/model-process.ts';
import type { ActivityDependencies } from './context.ts';
import { type Progress, withProgress } from './progress.ts';

/**
 * Runs a request with heartbeats, until its result or until the activity is cancelled. A process
 * that makes no progress is killed, which ends the heartbeats too: a timer alone would hide a hang.
 */
export async function runModelRequest(
  { modelProcesses }: Pick<ActivityDependencies, 'modelProcesses'>,
  request: ModelProcessRequest,
  stallTimeoutMs: number,
): Promise<ResultMessage> {
  return await withProgress(async (progress) => {
    progress.phase(request.command, 0);
    return await modelProcesses.run(request, {
      signal: progress.signal,
      stallTimeoutMs,
      onMessage: (message) => {
        tell(progress, message);
      },
    });
  });
}

function tell(progress: Progress, message: ModelProcessMessage): void {
  switch (message.type) {
    case 'progress': {
      const { phase, done, total, unit } = message;
      progress.tell({ phase, done, total, unit });
      break;
    }
    case 'metric': {
      const { loss } = message.values;
      if (loss !== undefined) progress.tell({ loss });
      break;
    }
    case 'checkpoint':
      progress.tell({ checkpoint_step: message.step });
      break;
    case 'notice': {
      const { name, detail } = message;
      asyncLocalStorage.getStore()?.log.info('Model process noticed', { name, detail });
      break;
    }
    case 'hello':
    case 'result':
    case 'error':
      break;
  }
}
