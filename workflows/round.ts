/**
 * Workflow `round`: one pass of self-training, in the order of the paper's two algorithms
 * (arXiv:2405.19716). Evaluations run beside the stages: each policy as soon as it exists.
 */
import type { EvaluatedPolicy, Policy } from '../contract/status.ts';
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
  const evaluateAside = (as: EvaluatedPolicy, policy: Policy) =>
    aside(() => evaluation.evaluate(as, policy));

  const evaluations = [evaluateAside('base', start)];
  const trainAll = plan.single_stage === true ? trainAtOnce : trainInStages;
  const { policy, last } = await trainAll({ context, stages, start }, (as, made) => {
    evaluations.push(evaluateAside(as, made));
  });

  const scores = (await Promise.all(evaluations)).flat();
  const { comparisons, deciding, value } = await evaluation.compare(scores, last);
  const { decision, promoted } =
    plan.training_stages.length > 0 ? decide(deciding, plan.stop_without_gain) : NOTHING_TRAINED;
  const end_policy = promoted ? policy : start;
  const round_result = await stages.publish({ end_policy, scores, comparisons, decision });
  return { round_result, end_policy, decision, value };
}

interface Learner {
  readonly context: RoundContext;
  readonly stages: RoundStages;
  readonly start: Policy;
}

interface Trained {
  readonly policy: Policy;
  /** The training that made it, or that there was none. */
  readonly last: EvaluatedPolicy;
}

type OnPolicy = (as: EvaluatedPolicy, policy: Policy) => void;

/** The paper's two algorithms, those that the plan has. */
async function trainInStages(
  { context, stages, start }: Learner,
  onPolicy: OnPolicy,
): Promise<Trained> {
  const { training_stages } = context.input.plan;
  const trains = training_stages.length > 0;
  let policy = start;
  let last: EvaluatedPolicy = 'base';

  if (training_stages.includes('preference_training')) {
    // Algorithm 1: the policy learns to prefer its own careful descriptions.
    const pairs = await stages.preferencePairs(policy);
    policy = await stages.preferenceTraining(policy, pairs);
    last = 'preference_training';
    onPolicy(last, policy);
  } else if (trains) {
    context.stages.skip('preference', 'preference_training is not in training_stages');
    context.stages.skip('preference_training', 'not in training_stages');
  }

  if (training_stages.includes('infused_training')) {
    // Algorithm 2: instructions that it knows, now with its own descriptions in front.
    const examples = await stages.infusedExamples(policy);
    policy = await stages.infusedTraining(policy, examples);
    last = 'infused_training';
    onPolicy(last, policy);
  } else if (trains) {
    context.stages.skip('infusion', 'infused_training is not in training_stages');
    context.stages.skip('infused_training', 'not in training_stages');
  }
  return { policy, last };
}

/** Both algorithms' data from the start policy, and one training on them. */
async function trainAtOnce(
  { context, stages, start }: Learner,
  onPolicy: OnPolicy,
): Promise<Trained> {
  const pairs = await stages.preferencePairs(start);
  const examples = await stages.infusedExamples(start);
  const policy = await stages.preferenceTraining(start, pairs, examples);
  const last = 'preference_training';
  context.stages.skip('infused_training', `its examples are learnt in ${last}`);
  onPolicy(last, policy);
  return { policy, last };
}
