/** Role `cpu`: reads, decodes, corrupts, collects and scores. */

import { createCpuActivities } from '../activities/index.ts';
import { TASK_QUEUES } from '../contract/api.ts';
import { dependencies } from './dependencies.ts';
import type { RoleWorker } from './serve.ts';

/** Decoding is parallel inside an activity already; a few at once keep short ones from waiting. */
const SLOTS = 4;

export function cpuWorker(): RoleWorker {
  const deps = dependencies();
  return {
    options: {
      taskQueue: TASK_QUEUES.cpu,
      activities: createCpuActivities(deps),
      maxConcurrentActivityTaskExecutions: SLOTS,
      // Beats are sent at least this often, so a cancellation arrives within 5 s.
      maxHeartbeatThrottleInterval: '5s',
    },
    close: async () => {
      await deps.modelProcesses.close();
    },
  };
}
