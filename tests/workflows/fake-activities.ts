/** The activities of both worker roles, served by the fake run that a workflow belongs to. */
import { activityInfo } from '@temporalio/activity';
import { translateErrors } from '../../activities/errors.ts';
import {
  ACTIVITY_SCHEMAS,
  type ActivityName,
  GPU_ACTIVITIES,
  type Input,
  type Output,
} from './activity-schemas.ts';
import { FakeRun, type RunSettings } from './fake-run.ts';

/** The runs of one test file, by id. */
export class FakeRuns {
  readonly #runs = new Map<string, FakeRun>();

  add(settings: RunSettings): FakeRun {
    const run = new FakeRun(`run-${String(this.#runs.size + 1)}`, settings);
    this.#runs.set(run.runId, run);
    return run;
  }

  /** @param workflowId - `sticflow/<run id>`, or below it. */
  of(workflowId = 'an activity without a workflow'): FakeRun {
    const run = this.#runs.get(workflowId.split('/')[1] ?? '');
    if (run === undefined) throw new Error(`no fake run serves ${workflowId}`);
    return run;
  }
}

/** What a worker of the role registers: inputs and outputs are held to the contract. */
export function fakeActivities(role: 'cpu' | 'gpu', runs: FakeRuns): Record<string, object> {
  // Names of ACTIVITY_SCHEMAS, which Object.keys cannot know.
  const names = Object.keys(ACTIVITY_SCHEMAS) as ActivityName[];
  const ofRole = names.filter((name) => GPU_ACTIVITIES.includes(name) === (role === 'gpu'));
  return translateErrors(Object.fromEntries(ofRole.map((name) => [name, activity(name, runs)])));
}

function activity<N extends ActivityName>(name: N, runs: FakeRuns) {
  return async (raw: unknown): Promise<Output<N>> => {
    const run = runs.of(activityInfo().workflowExecution?.workflowId);
    const schemas = ACTIVITY_SCHEMAS[name];
    const input: Input<N> = schemas.input.parse(raw);
    const output: Output<N> = schemas.output.parse(await run.perform(name, input));
    for (const payload of [raw, output]) {
      run.largestPayload = Math.max(run.largestPayload, Buffer.byteLength(JSON.stringify(payload)));
    }
    return output;
  };
}
