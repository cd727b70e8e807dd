/** Workflow `evaluation`: a model as it is, on the evaluation sets of a config; one round without a training. */
import { TemporalFailure } from '@temporalio/workflow';
import type { RunStatus } from '../contract/status.ts';
import type { EvaluationInput } from '../contract/workflows.ts';
import { requireFields } from './input.ts';
import { data } from './proxies.ts';
import { Run } from './run.ts';
import { handleMessages } from './run-messages.ts';
import { checkConfig, complete, endEarly, playRound } from './run-steps.ts';

/**
 * Measures a policy and returns the last status. Like any run it can be paused, cancelled and started
 * again: every shard of answers that is finished is found by its key.
 */
export async function evaluation(input: EvaluationInput): Promise<RunStatus> {
  requireFields(input, { workflow: 'evaluation', required: ['config'] });
  const run = new Run(undefined, 'evaluation');
  handleMessages(run);
  try {
    const { plan, config } = await checkConfig(run, input.config);
    const { model, adapter } = await run.gate.pass(() =>
      data.resolveModel.executeWithOptions({ summary: `model · ${plan.model_label}` }, [
        { config },
      ]),
    );
    await playRound(run, { plan, model, images: null, policy: { model, adapter } });
    const sets = plan.evaluation_sets.length;
    return await complete(run, `evaluated on ${String(sets)} ${sets === 1 ? 'set' : 'sets'}`);
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    throw await endEarly(run, error);
  }
}
