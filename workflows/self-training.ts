/** Workflow `selfTraining`: a run, one round per execution, continued as new at round borders. */
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { RunStatus } from '../contract/status.ts';
import type { RunState, SelfTrainingInput } from '../contract/workflows.ts';
import { invalid, requireFields } from './input.ts';
import { data } from './proxies.ts';
import { Run } from './run.ts';
import { handleMessages } from './run-messages.ts';
import { checkConfig, complete, endEarly, playRound, report } from './run-steps.ts';
import { describeCounts } from './stage-table.ts';

/** What the rounds need and change. */
type Progress = Pick<RunState, 'plan' | 'model' | 'images' | 'policy'>;

/**
 * Runs the rounds of a config and returns the last status. A run that failed or was cancelled goes
 * on when it is started again with the same config: finished artifacts are found by their keys.
 */
export async function selfTraining(input: SelfTrainingInput): Promise<RunStatus> {
  requireFields(input, { workflow: 'selfTraining', required: ['config'], optional: ['state'] });
  const carried = carriedState(input);
  const run = new Run(carried, 'self_training');
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
    return await complete(run, howItWent(run));
  } catch (error) {
    // Not a failure of the run: the handing over to its next execution, or a defect of this code.
    if (!(error instanceof TemporalFailure)) throw error;
    throw await endEarly(run, error);
  }
}

/** Checks the config, then brings in the model and the images, once for all rounds. */
async function prepare(run: Run, input: SelfTrainingInput): Promise<Progress> {
  const { plan, config } = await checkConfig(run, input.config);
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
  const { end_policy } = await playRound(run, { plan, model, images, policy });
  return { ...progress, policy: end_policy };
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

function howItWent(run: Run): string {
  const rounds = run.known.round === 1 ? '1 round' : `${String(run.known.round)} rounds`;
  return `finished after ${rounds}; ${run.known.message}`;
}
