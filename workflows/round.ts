/**
 * Workflow `round`: one pass of self-training, in the order of the paper's two algorithms
 * (arXiv:2405.19716). Evaluations run beside the stages: each policy as soon as it exists.
 */
import type { EvaluatedPolicy } from '../contract/status.ts';
import type { RoundInput, RoundOutput } from '../contract/workflows.ts';
import { type Aside, together } from './concurrency.ts';
import { decide, type Verdict } from './decide.ts';
import { Evaluation } from './evaluation.ts';
import { RoundContext } from './round-context.ts';
import { RoundStages } from './round-stages.ts';

/** Fails with the first stage that fails; then, and when cancelled, nothing of it runs on. */
export async function round(input: RoundInput): Promise<RoundOutput> {
  const context = new RoundContext(input);
  try {
    return await together((aside) => selfTrain(context, aside));
  } finally {
    await context.settled();
  }
}

const NOTHING_TRAINED: Verdict = {
  decision: { action: 'keep', reason: 'evaluated as it is; nothing was trained' },
  promoted: false,
};

async function selfTrain(context: RoundContext, aside: Aside): Promise<RoundOutput> {
  const { plan, policy: start } = context.input;
  const stages = new RoundStages(context);
  const evaluation = new Evaluation(context);
  const evaluateAside = (as: EvaluatedPolicy, policy = start) =>
    aside(() => evaluation.evaluate(as, policy));

  const trains = plan.training_stages.length > 0;
  let policy = start;
  let last: EvaluatedPolicy = 'base';
  const evaluations = [evaluateAside('base')];

  if (plan.training_stages.includes('preference_training')) {
    // Algorithm 1: the policy learns to prefer its own careful descriptions.
    const pairs = await stages.preferencePairs(policy);
    policy = await stages.preferenceTraining(policy, pairs);
    last = 'preference_training';
    evaluations.push(evaluateAside(last, policy));
  } else if (trains) {
    context.stages.skip('preference', 'preference_training is not in training_stages');
    context.stages.skip('preference_training', 'not in training_stages');
  }

  if (plan.training_stages.includes('infused_training')) {
    // Algorithm 2: instructions that it knows, now with its own descriptions in front.
    const examples = await stages.infusedExamples(policy);
    policy = await stages.infusedTraining(policy, examples);
    last = 'infused_training';
    evaluations.push(evaluateAside(last, policy));
  } else if (trains) {
    context.stages.skip('infusion', 'infused_training is not in training_stages');
    context.stages.skip('infused_training', 'not in training_stages');
  }

  const scores = (await Promise.all(evaluations)).flat();
  const { comparisons, deciding, value } = await evaluation.compare(scores, last);
  const { decision, promoted } = trains
    ? decide(deciding, plan.stop_without_gain)
    : NOTHING_TRAINED;
  const end_policy = promoted ? policy : start;
  const round_result = await stages.publish({ end_policy, scores, comparisons, decision });
  return { round_result, end_policy, decision, value };
}
