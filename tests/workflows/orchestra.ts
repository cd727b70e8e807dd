/**
 * Workers of all three roles with the built workflow bundle on a real server; the activities are
 * fakes with behaviour. One orchestra per test file.
 */
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { inject } from 'vitest';
import { STATUS_QUERY, TASK_QUEUES, WORKFLOWS, workflowId } from '../../contract/api.ts';
import type { RunPlan } from '../../contract/run-plan.ts';
import { RunStatus } from '../../contract/status.ts';
import type { StudyStatus } from '../../contract/study.ts';
import type { SelfTrainingInput, StudyInput } from '../../contract/workflows.ts';
import { FakeRuns, fakeActivities } from './fake-activities.ts';
import type { FakeRun, RunSettings } from './fake-run.ts';
import { newNamespace } from './namespace.ts';
import { installRuntime } from './runtime.ts';

export const WORKFLOW_BUNDLE = fileURLToPath(
  new URL('../../dist/workflow-bundle.js', import.meta.url),
);

/** Recorded in histories, which are committed: without it the SDK names process and host. */
export const IDENTITY = 'sticflow-test';

/** How long a test waits for what has to come about by itself, on a busy machine. */
export const WAIT = { timeout: 30_000, interval: 50 };

/** What it says does not matter: a fake run has its settings. */
export const CONFIG = { config: { name: 'fake' } };

/** Plan of an evaluation: two benchmarks of three items each, with and without describe-and-respond. */
export const EVALUATED = {
  training_stages: [],
  infusion: false,
  images_per_round: null,
  evaluation_sets: ['pope', 'scienceqa'],
  evaluated_policies: ['base'],
  answers_dar: true,
  decision_set: null,
  shard_size: 1,
} satisfies Partial<RunPlan>;

type SelfTraining = (input: SelfTrainingInput) => Promise<RunStatus>;
type Study = (input: StudyInput) => Promise<StudyStatus>;
export type RunHandle = WorkflowHandleWithFirstExecutionRunId<SelfTraining>;

export class Orchestra {
  readonly client: Client;
  readonly #runs: FakeRuns;
  readonly #close: () => Promise<void>;

  private constructor(client: Client, runs: FakeRuns, close: () => Promise<void>) {
    this.client = client;
    this.#runs = runs;
    this.#close = close;
  }

  static async start(): Promise<Orchestra> {
    const { address } = inject('temporal');
    installRuntime();
    const connection = await Connection.connect({ address });
    const namespace = await newNamespace(connection, address);
    const native = await NativeConnection.connect({ address });
    const runs = new FakeRuns();
    const common = { connection: native, namespace, identity: IDENTITY };
    const workers = await Promise.all([
      Worker.create({
        ...common,
        taskQueue: TASK_QUEUES.orchestrator,
        workflowBundle: { codePath: WORKFLOW_BUNDLE },
      }),
      ...(['cpu', 'gpu'] as const).map((role) =>
        Worker.create({
          ...common,
          taskQueue: TASK_QUEUES[role],
          activities: fakeActivities(role, runs),
          maxHeartbeatThrottleInterval: '100ms',
        }),
      ),
    ]);
    const running = Promise.all(workers.map((worker) => worker.run()));
    const client = new Client({ connection, namespace, identity: IDENTITY });
    return new Orchestra(client, runs, async () => {
      for (const worker of workers) worker.shutdown();
      await running;
      await native.close();
      await connection.close();
    });
  }

  async close(): Promise<void> {
    await this.#close();
  }

  /** Makes the fake side of a run; {@link Orchestra.start} starts its workflow. */
  prepare(settings: RunSettings = {}): FakeRun {
    return this.#runs.add(settings);
  }

  /** Starts a run, for the first time or again, as `sticflow run` and `sticflow retry` do. */
  async start({ runId }: FakeRun, ...input: unknown[]): Promise<RunHandle> {
    return this.client.workflow.start<SelfTraining>(WORKFLOWS.selfTraining, {
      workflowId: workflowId(runId),
      taskQueue: TASK_QUEUES.orchestrator,
      // Some tests send what no caller of ours would.
      args: input as [SelfTrainingInput],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    });
  }

  /** Starts an evaluation, as `sticflow eval` does; see {@link EVALUATED}. */
  async startEvaluation({ runId }: FakeRun): Promise<RunHandle> {
    return this.client.workflow.start<SelfTraining>(WORKFLOWS.evaluation, {
      workflowId: workflowId(runId),
      taskQueue: TASK_QUEUES.orchestrator,
      args: [CONFIG],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    });
  }

  /** Starts a study, for the first time or again, as `sticflow study` does. */
  async startStudy({ runId }: FakeRun, ...input: unknown[]) {
    return this.client.workflow.start<Study>(WORKFLOWS.study, {
      workflowId: workflowId(runId),
      taskQueue: TASK_QUEUES.orchestrator,
      // Some tests send what no caller of ours would.
      args: (input.length === 0 ? [{ request: `source:${'0'.repeat(32)}` }] : input) as [
        StudyInput,
      ],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    });
  }

  /** A run from its start to its end, when nothing is to happen to it. */
  async play(settings: RunSettings = {}) {
    const run = this.prepare(settings);
    const handle = await this.start(run, CONFIG);
    const status = RunStatus.parse(await handle.result());
    return { run, handle, status };
  }
}

/** @throws when the answer is not a status by the contract */
export async function statusOf(handle: RunHandle): Promise<RunStatus> {
  return RunStatus.parse(await handle.query(STATUS_QUERY));
}
