/** Role `orchestrator`: runs the workflows and nothing else. */
import { fileURLToPath } from 'node:url';
import { TASK_QUEUES } from '../contract/api.ts';
import type { RoleWorker } from './serve.ts';

/** Made by the build beside the compiled program, with the SDK version that loads it. */
const BUNDLE = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));

export function orchestratorWorker(): RoleWorker {
  return {
    options: {
      taskQueue: TASK_QUEUES.orchestrator,
      workflowBundle: { codePath: BUNDLE },
      // Each holds a few megabytes; the default goes by the machine's memory and has led to OOM
      // (sdk-typescript issue 2227). A run has at most a handful of executions open.
      maxCachedWorkflows: 50,
    },
    close: async () => {
      await Promise.resolve();
    },
  };
}
