/** Workflow `selfTraining`: a run, one round per execution, continued as new at round borders. */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../contract/activities.ts';
import { roundWorkflowId, WORKFLOWS } from '../contract/api.ts';
import type { RunStatus } from '../contract/status.ts';
import type { RunState, SelfTrainingInput } from '../contract/workflows.ts';
import { runFailure } from './failure.ts';
import { invalid, requireFields } from './input.ts';
import { bookkeeping, data, lastReporting, reporting } from './proxies.ts';
import { type RoundWorkflow, Run } from './run.ts';
import { handleMessages } from './run-messages.ts';
import { searchAttributeKeys } from './search-attributes.ts';
import { describeCounts } from './stage-table.ts';
import { startChildAnew } from './start-child.ts';

/** What the rounds need and change. */
type Progress = Pick<RunState, 'plan' | 'model' | 'images' | 'policy'>;

/**
 * Runs the rounds of a config and returns the last status. A run that failed or was cancelled goes
 * on when it is started again with the same config: finished artifacts are found by their keys.
 */
export async function selfTraining(input: SelfTrainingInput): Promise<RunStatus> {
  requireFields(input, { workflow: 'selfTraining', required: ['config'], optional: ['state'] });
  const carried = carriedState(input);
  const run = new Run(carried);
  handleMessages(run);
  try {
    const before = carried ?? (await prepare(run, input));
    if (carried !== undefined) run.ownStages.skip('ingest', 'done before round 1');
    const after = run.goesOn ? await trainRound(run, before) : before;
    if (run.goesOn) {
      await report(run);
      // Pausing holds the border as well; a stop may be asked for meanwhile.
      await condition(() => !run.gate.closed && allHandlersFinished());
    }
    if (run.goesOn) await continueAsNew<typeof selfTraining>(carryOver(run, after));
    return await complete(run);
  } catch (error) {
    // Not a failure of the run: the handing over to its next execution, or a defect of this code.
    if (!(error instanceof TemporalFailure)) throw error;
    throw await endEarly(run, error);
  }
}

/** Checks the config, then brings in the model and the images, once for all rounds. */
async function prepare(run: Run, input: SelfTrainingInput): Promise<Progress> {
  // It came out of a JSON payload, whatever it is.
  const raw = input.config as Parameters<Activities['prepareRun']>[0]['config'];
  const { run_id, config, plan } = await run.gate.pass(() =>
    bookkeeping.prepareRun.executeWithOptions({ summary: 'config' }, [{ config: raw }]),
  );
  run.start(plan, { run_id, config });
  const { model } = await run.gate.pass(() =>
    data.resolveModel.executeWithOptions({ summary: `model · ${plan.model_label}` }, [{ config }]),
  );
  const { images, counts } = await run.gate.pass(() => {
    run.ownStages.begin('ingest');
    return data.ingestImages.executeWithOptions({ summary: 'ingest' }, [{ config }]);
  });
  run.ownStages.end('ingest', describeCounts(counts));
  return { plan, model, images, policy: { model, adapter: null } };
}

async function trainRound(run: Run, progress: Progress): Promise<Progress> {
  const { plan, model, images, policy } = progress;
  const { run_id, config, last_result } = run.known;
  if (config === null) throw new Error('a run has a config before its first round');
  const round = run.beginRound();
  const child = await run.gate.pass(() =>
    startChildAnew<RoundWorkflow>(WORKFLOWS.round, {
      workflowId: roundWorkflowId(workflowInfo().workflowId, round),
      args: [{ round, run_id, config, plan, model, images, policy, previous: last_result }],
      staticSummary: `round ${String(round)} of ${String(run.known.rounds)}`,
      typedSearchAttributes: [
        { key: searchAttributeKeys.run, value: run_id },
        { key: searchAttributeKeys.round, value: round },
        { key: searchAttributeKeys.model, value: plan.model_label },
      ],
    }),
  );
  const output = await run.follow(child);
  run.finishRound(output, plan.decision_measure);
  return { ...progress, policy: output.end_policy };
}

function carriedState({ state }: SelfTrainingInput): RunState | undefined {
  if (state !== undefined && workflowInfo().continuedFromExecutionRunId === undefined) {
    throw invalid('"state" is set by the workflow itself; start a run with "config" alone.');
  }
  return state;
}

function carryOver(run: Run, { plan, model, images, policy }: Progress): SelfTrainingInput {
  const state: RunState = {
    schema_version: 1,
    plan,
    model,
    images,
    policy,
    next_round: run.known.round + 1,
    stop_requested: run.stopRequested,
    // Stages are of a round, and that round is over.
    status: { ...run.status(), stages: [] },
  };
  return { config: null, state };
}

async function complete(run: Run): Promise<RunStatus> {
  const rounds = run.known.round === 1 ? '1 round' : `${String(run.known.round)} rounds`;
  run.end('completed', `finished after ${rounds}; ${run.known.message}`);
  await report(run);
  await condition(allHandlersFinished);
  return run.status();
}

/** A report that cannot be written is told, but it does not fail the run. */
async function report(run: Run): Promise<void> {
  try {
    const summary = `report · round ${String(run.known.round)}`;
    await reporting.writeReport.executeWithOptions({ summary }, [{ status: run.status() }]);
  } catch (error) {
    if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
    const why = runFailure(error).message;
    run.know({ message: `${run.known.message}; the report was not written: ${why}` });
  }
}

/** Leaves a run that was cancelled or failed with a last report, if there is still a worker. */
async function endEarly(run: Run, error: TemporalFailure): Promise<TemporalFailure> {
  const cancelled = isCancellation(error) && CancellationScope.current().consideredCancelled;
  const failure = cancelled ? error : runFailure(error);
  const how = cancelled ? 'cancelled' : 'failed';
  run.end(how, `${how}: ${failure.message}; start it again to go on from what is finished`);
  await CancellationScope.nonCancellable(async () => {
    await condition(allHandlersFinished);
    if (run.known.config === null) return;
    try {
      const status = run.status();
      await lastReporting.writeReport.executeWithOptions({ summary: 'last report' }, [{ status }]);
    } catch (reportError) {
      if (!(reportError instanceof TemporalFailure)) throw reportError;
    }
  });
  return failure;
}
