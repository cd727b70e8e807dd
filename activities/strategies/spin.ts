/**
 * `spin`: self-play (arXiv:2401.01335). The answers of an instruction set against the opponent's own; the opponent
 * is a frozen policy by name, the one that the round starts with or the base, and is the reference too.
 */
import type { ExperimentConfig } from '../../contract/config.ts';
import { strategyOptions } from '../../contract/config-strategies.ts';
import type { Question } from '../../contract/questions.ts';
import type { PreferencePair } from '../../contract/records.ts';
import type { RunConfig } from '../../contract/run-config.ts';
import { drawsFor } from '../corruption-draws.ts';
import { cleanImage } from '../image-intake.ts';
import { required } from './descriptions.ts';
import { drawsOf, givenAnswer, pairOf } from './questions.ts';
import { regularisedDpo } from './stic-paper.ts';
import type { AnsweredShard, PairTraining, QuestionStrategy } from './strategy.ts';

export const spin: QuestionStrategy = {
  items: 'questions',
  turns: (config) => strategyOptions(config).spin.turns,
  candidateKnobs: ({ config }) => ({ asks: 'once', turns: strategyOptions(config).spin.turns }),
  candidates: ask,
  pairing: pairs,
  training: againstOpponent,
};

function ask({ config }: RunConfig, round: number, question: Question) {
  const { question_id, image_id, prompt } = question;
  const seed = drawsFor(config.seed, round, question_id).seed('rejected');
  return {
    draw: { ...question, seeds: [seed] },
    pictures: new Map<string, never>(),
    requests: [{ request_id: requestId(question_id), image: cleanImage(image_id), prompt, seed }],
  };
}

async function* pairs(shard: AnsweredShard): AsyncGenerator<PreferencePair> {
  for await (const draw of drawsOf(shard)) {
    const { text, finish_reason } = required(shard.texts, requestId(draw.question_id));
    yield pairOf(shard, draw, {
      chosen: givenAnswer(draw),
      rejected: { text, finish_reason, seed: draw.seeds[0] ?? null },
      rejection_source: 'opponent',
    });
  }
}

/** SPIN with the logistic loss: DPO without a likelihood term. */
function againstOpponent(config: ExperimentConfig): PairTraining {
  const { loss } = regularisedDpo(config);
  const { opponent } = strategyOptions(config).spin;
  return {
    loss: { ...loss, chosen_nll_weight: 0 },
    ...(opponent === 'base' ? { reference: 'base' } : {}),
  };
}

function requestId(questionId: string): string {
  return `${questionId}/rejected`;
}
