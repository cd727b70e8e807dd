/** Role `gpu`: one model, one activity at a time. Start one worker a GPU. */

import { createGpuActivities } from '../activities/index.ts';
import { TASK_QUEUES } from '../contract/api.ts';
import { dependencies } from './dependencies.ts';
import type { RoleWorker } from './serve.ts';

export function gpuWorker(): RoleWorker {
  const deps = dependencies();
  return {
    options: {
      taskQueue: TASK_QUEUES.gpu,
      activities: createGpuActivities(deps),
      maxConcurrentActivityTaskExecutions: 1,
      maxConcurrentActivityTaskPolls: 1,
      // Beats are sent at least this often, so a cancellation arrives within 5 s.
      maxHeartbeatThrottleInterval: '5s',
    },
    close: async () => {
      await deps.modelProcesses.close();
    },
  };
}
