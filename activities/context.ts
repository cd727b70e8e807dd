/** What the activities of one worker share. Built once, in `workers/`. */
import type { Store } from '../store/store.ts';
import type { ModelProcesses } from './model-process.ts';

export interface ActivityDependencies {
  readonly store: Store;
  readonly workspace: string;
  readonly modelProcesses: ModelProcesses;
}
