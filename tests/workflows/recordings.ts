/** Representative runs, played for their histories, and those histories as files. */
import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { vi } from 'vitest';
import { roundWorkflowId, shardsWorkflowId, UPDATES } from '../../contract/api.ts';
import { historyOf, signalsOf } from './history.ts';
import { CONFIG, EVALUATED, type Orchestra, statusOf, WAIT } from './orchestra.ts';

/** One execution, as the official tools export it. */
export interface RecordedHistory {
  readonly workflow_id: string;
  readonly history: unknown;
}

/** An execution to begin collecting at; what it started and continued as follows from it. */
interface Execution {
  readonly workflowId: string;
  readonly runId: string;
}

type Play = (orchestra: Orchestra) => Promise<readonly Execution[]>;

/** One set and the two policies that decide: everything that can happen, and few events. */
const measured = { shard_size: 100, evaluated_policies: ['base', 'infused_training'] as const };
const plan = { ...measured, evaluated_policies: [...measured.evaluated_policies] };
const unmeasured = { evaluation_sets: [], decision_set: null, shard_size: 100 };

export const RECORDED_RUNS: Readonly<Record<string, Play>> = {
  two_rounds: async (orchestra) => {
    const { handle } = await orchestra.play({ plan: { ...plan, rounds: 2 } });
    return [{ workflowId: handle.workflowId, runId: handle.firstExecutionRunId }];
  },

  paused_and_extended: async (orchestra) => {
    const run = orchestra.prepare({
      plan: { ...unmeasured, shard_size: 4, max_parallel_shards: 1, rounds: 2 },
    });
    const shard = run.hold('generateShard');
    const handle = await orchestra.start(run, CONFIG);
    await shard.reached();
    await handle.executeUpdate(UPDATES.extendRounds, { args: [{ rounds: 1 }] });
    await handle.executeUpdate(UPDATES.pause);
    const fanOut = shardsWorkflowId(roundWorkflowId(handle.workflowId, 1), 'preference');
    await vi.waitFor(async () => {
      const told = signalsOf(await historyOf(orchestra.client, fanOut), 'hold');
      if (told.length === 0) throw new Error('the fan-out is not told of the pause yet');
    }, WAIT);
    shard.release();
    await vi.waitUntil(async () => (await statusOf(handle)).state === 'paused', WAIT);
    await handle.executeUpdate(UPDATES.resume);
    await handle.executeUpdate(UPDATES.stopAfterRound);
    await handle.result();
    return [{ workflowId: handle.workflowId, runId: handle.firstExecutionRunId }];
  },

  cancelled_in_training: async (orchestra) => {
    const run = orchestra.prepare({ plan });
    const training = run.hold('trainPreference');
    const handle = await orchestra.start(run, CONFIG);
    await training.reached();
    await handle.cancel();
    await handle.result().catch(() => undefined);
    return [{ workflowId: handle.workflowId, runId: handle.firstExecutionRunId }];
  },

  evaluation: async (orchestra) => {
    const run = orchestra.prepare({ plan: { ...EVALUATED, shard_size: 100 } });
    const handle = await orchestra.startEvaluation(run);
    await handle.result();
    return [{ workflowId: handle.workflowId, runId: handle.firstExecutionRunId }];
  },

  study: async (orchestra) => {
    const arms = [0, 1].map(() => orchestra.prepare({ plan: unmeasured }));
    const run_ids = arms.map(({ runId }) => runId);
    const features = { features_run: 0, feature_sets: ['test'] };
    const study = orchestra.prepare({
      study: { run_ids, after: [null, 0], selects: [1], ...features },
    });
    const handle = await orchestra.startStudy(study);
    await handle.result();
    return [{ workflowId: handle.workflowId, runId: handle.firstExecutionRunId }];
  },

  failed_and_started_again: async (orchestra) => {
    const run = orchestra.prepare({ plan: unmeasured });
    run.fail('trainPreference', 'ModelProcessDied', 'The model process ended without a result.');
    run.fail('trainInfused', 'NonFiniteLoss', 'The loss of step 2 is not finite.');
    const failed = await orchestra.start(run, CONFIG);
    await failed.result().catch(() => undefined);
    const again = await orchestra.start(run, CONFIG);
    await again.result();
    return [failed, again].map((handle) => ({
      workflowId: handle.workflowId,
      runId: handle.firstExecutionRunId,
    }));
  },
};

/** Histories of the executions, of those they continued as, and of their children, in that order. */
export async function record(
  client: Client,
  executions: readonly Execution[],
): Promise<RecordedHistory[]> {
  const recorded: RecordedHistory[] = [];
  for (const { workflowId, runId } of executions) {
    const history = await historyOf(client, workflowId, runId);
    recorded.push({
      workflow_id: workflowId,
      history: JSON.parse(historyToJSON(history), withoutStackTraces),
    });
    const next = (history.events ?? []).flatMap((event) => {
      const child = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution;
      const continued = event.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
      return [
        ...(child?.workflowId && child.runId
          ? [{ workflowId: child.workflowId, runId: child.runId }]
          : []),
        ...(continued ? [{ workflowId, runId: continued }] : []),
      ];
    });
    recorded.push(...(await record(client, next)));
  }
  return recorded;
}

/** They name files of the machine that recorded, and a replay does not read them. */
function withoutStackTraces(key: string, value: unknown): unknown {
  return key === 'stackTrace' ? '' : value;
}
