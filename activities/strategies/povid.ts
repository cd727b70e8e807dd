/**
 * `povid`: given answers against the same with hallucinations in them, and against the tokens that a noisy image
 * would pick (arXiv:2402.11411; YiyangZhou/POVID tool/dpo_trainer_inherent.py). The model writes nothing.
 */
import type { ExperimentConfig } from '../../contract/config.ts';
import { strategyOptions } from '../../contract/config-strategies.ts';
import type { Question, QuestionDraw } from '../../contract/questions.ts';
import type { Corruption, DroppedPair, PreferencePair } from '../../contract/records.ts';
import type { RunConfig } from '../../contract/run-config.ts';
import { drawsFor } from '../corruption-draws.ts';
import { withHallucinations } from './hallucinations.ts';
import { type Answer, drawsOf, droppedQuestion, given, givenAnswer, pairOf } from './questions.ts';
import { regularisedDpo } from './stic-paper.ts';
import type { AnsweredShard, PairTraining, QuestionStrategy } from './strategy.ts';

/** The last step of the forward diffusion. */
const LAST_STEP = 999;

export const povid: QuestionStrategy = {
  items: 'questions',
  turns: (config) => strategyOptions(config).povid.turns,
  candidateKnobs: ({ config }) => {
    const { turns, noise_step } = strategyOptions(config).povid;
    return { asks: 'nothing', turns, noise_step };
  },
  candidates: addNoise,
  pairing: pairs,
  pairingKnobs: (config) => {
    const { hallucinations, injection_rate } = strategyOptions(config).povid;
    return hallucinations === 'given' ? { hallucinations } : { hallucinations, injection_rate };
  },
  training: withNoisyTerm,
};

function addNoise({ config }: RunConfig, round: number, question: Question) {
  const step = strategyOptions(config).povid.noise_step;
  // Of the image: questions about one image share its noise.
  const seed = drawsFor(config.seed, round, question.image_id).seed('noise');
  const corruption: Corruption = { kind: 'noise', severity: step / LAST_STEP, step, seed };
  const file = `corrupted/${question.image_id}-noise.png`;
  return {
    draw: { ...question, seeds: [], contrast: { corruption, image: { root: 'corrupted', file } } },
    pictures: new Map([[file, corruption]]),
    requests: [],
  } satisfies ReturnType<QuestionStrategy['candidates']>;
}

async function* pairs(shard: AnsweredShard): AsyncGenerator<PreferencePair | DroppedPair> {
  const { hallucinations } = strategyOptions(shard.run.config).povid;
  for await (const draw of drawsOf(shard)) {
    const rejected =
      hallucinations === 'given' ? givenHallucination(draw) : injectedHallucination(shard, draw);
    yield rejected === null
      ? droppedQuestion(shard, draw, 'no_hallucination')
      : pairOf(shard, draw, {
          chosen: givenAnswer(draw),
          rejected,
          rejection_source: `${hallucinations}_hallucination`,
        });
  }
}

function givenHallucination({ hallucinated }: QuestionDraw): Answer | null {
  return hallucinated === null ? null : given(hallucinated);
}

function injectedHallucination({ run, shards }: AnsweredShard, draw: QuestionDraw): Answer | null {
  const { config } = run;
  const { number } = drawsFor(config.seed, shards.round, draw.question_id);
  const text = withHallucinations(draw.answer, {
    rate: strategyOptions(config).povid.injection_rate,
    draw: (purpose) => number(`hallucination/${purpose}`),
  });
  return text === null ? null : given(text);
}

function withNoisyTerm(config: ExperimentConfig): PairTraining {
  const { rejected_weight, noisy_weight } = strategyOptions(config).povid;
  const { loss } = regularisedDpo(config);
  return {
    loss: { ...loss, chosen_nll_weight: 0 },
    objective: { kind: 'povid', rejected_weight, noisy_weight },
  };
}
