/** What the activities of a worker get: the workspace's store and a model process of its own. */
import type { ActivityDependencies } from '../activities/context.ts';
import { ModelProcesses } from '../activities/model-process.ts';
import { defaultWorkspace } from '../store/layout.ts';
import { openStore } from '../store/store.ts';

export function dependencies(): ActivityDependencies {
  const workspace = defaultWorkspace();
  return {
    workspace,
    store: openStore(workspace),
    modelProcesses: new ModelProcesses({ workspace }),
  };
}
