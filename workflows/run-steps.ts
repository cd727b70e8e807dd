/** What every run does, whatever it is for: check its config, play a round, report, and end. */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../contract/activities.ts';
import { roundWorkflowId, WORKFLOWS } from '../contract/api.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { RunPlan } from '../contract/run-plan.ts';
import type { RunStatus } from '../contract/status.ts';
import type { RoundInput, RoundOutput } from '../contract/workflows.ts';
import { runFailure } from './failure.ts';
import { bookkeeping, lastReporting, reporting } from './proxies.ts';
import type { RoundWorkflow, Run } from './run.ts';
import { searchAttributeKeys } from './search-attributes.ts';
import { startChildAnew } from './start-child.ts';

/** A run whose config was found good. */
interface Checked {
  readonly plan: RunPlan;
  readonly config: ArtifactRef;
}

/** Checks the config that a person sent; from then on the run has an id and a plan. */
export async function checkConfig(run: Run, sent: unknown): Promise<Checked> {
  // It came out of a JSON payload, whatever it is.
  const raw = sent as Parameters<Activities['prepareRun']>[0]['config'];
  const { run_id, config, plan } = await run.gate.pass(() =>
    bookkeeping.prepareRun.executeWithOptions({ summary: 'config' }, [{ config: raw }]),
  );
  run.start(plan, { run_id, config });
  return { plan, config };
}

/** Plays the next round as a child workflow, to its end. */
export async function playRound(
  run: Run,
  given: Pick<RoundInput, 'plan' | 'model' | 'images' | 'policy'>,
): Promise<RoundOutput> {
  const { run_id, config, last_result } = run.known;
  if (config === null) throw new Error('a run has a config before its first round');
  const { plan } = given;
  const round = run.beginRound();
  const child = await run.gate.pass(() =>
    startChildAnew<RoundWorkflow>(WORKFLOWS.round, {
      workflowId: roundWorkflowId(workflowInfo().workflowId, round),
      args: [{ round, run_id, config, previous: last_result, ...given }],
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
  return output;
}

/** `how` it went, for people. */
export async function complete(run: Run, how: string): Promise<RunStatus> {
  run.end('completed', how);
  await report(run);
  await condition(allHandlersFinished);
  return run.status();
}

/** A report that cannot be written is told, but it does not fail the run. */
export async function report(run: Run): Promise<void> {
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
export async function endEarly(run: Run, error: TemporalFailure): Promise<TemporalFailure> {
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
