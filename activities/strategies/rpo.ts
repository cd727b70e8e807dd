/**
 * `rpo`: iterative reasoning preference optimisation (arXiv:2404.19733): of several sampled answers to a question with
 * a known answer, right against wrong ones, with a length-normalised likelihood of the right one.
 */
import { normalizeAnswer } from '../../benchmarks/exact-match.ts';
import type { ExperimentConfig } from '../../contract/config.ts';
import { strategyOptions } from '../../contract/config-strategies.ts';
import type { Question, QuestionDraw } from '../../contract/questions.ts';
import type { DroppedPair, PreferencePair } from '../../contract/records.ts';
import type { RunConfig } from '../../contract/run-config.ts';
import { drawsFor } from '../corruption-draws.ts';
import { cleanImage } from '../image-intake.ts';
import { required } from './descriptions.ts';
import { type Answer, drawsOf, droppedQuestion, pairOf } from './questions.ts';
import { regularisedDpo } from './stic-paper.ts';
import type { AnsweredShard, PairTraining, QuestionStrategy } from './strategy.ts';

export const rpo: QuestionStrategy = {
  items: 'questions',
  turns: (config) => strategyOptions(config).rpo.turns,
  candidateKnobs: ({ config }) => {
    const { turns, samples, max_answer_words } = strategyOptions(config).rpo;
    return { asks: 'samples', turns, samples, max_answer_words };
  },
  candidates: sample,
  pairing: pairs,
  pairingKnobs: (config) => {
    const { pairs_per_question } = strategyOptions(config).rpo;
    return { pairs_per_question };
  },
  training: lengthNormalised,
};

function sample({ config }: RunConfig, round: number, question: Question) {
  const { question_id, image_id, prompt } = question;
  const { samples } = strategyOptions(config).rpo;
  const draws = drawsFor(config.seed, round, question_id);
  const seeds = isVerifiable(config, question)
    ? Array.from({ length: samples }, (_, place) => draws.seed(`sample/${String(place)}`))
    : [];
  return {
    draw: { ...question, seeds },
    pictures: new Map<string, never>(),
    requests: seeds.map((seed, place) => ({
      request_id: requestId(question_id, place),
      image: cleanImage(image_id),
      prompt,
      seed,
    })),
  };
}

function isVerifiable(config: ExperimentConfig, { answer }: Question): boolean {
  const words = answer.trim().split(/\s+/u).length;
  return words <= strategyOptions(config).rpo.max_answer_words;
}

async function* pairs(shard: AnsweredShard): AsyncGenerator<PreferencePair | DroppedPair> {
  const { pairs_per_question } = strategyOptions(shard.run.config).rpo;
  for await (const draw of drawsOf(shard)) {
    const { right, wrong } = judged(shard, draw);
    if (draw.seeds.length === 0) yield droppedQuestion(shard, draw, 'not_verifiable');
    else if (wrong.length === 0) yield droppedQuestion(shard, draw, 'all_right');
    else if (right.length === 0) yield droppedQuestion(shard, draw, 'all_wrong');
    else yield* pairedUp(shard, draw, { right, wrong, limit: pairs_per_question });
  }
}

interface Judged {
  /** Different texts only, in the order of their samples. */
  readonly right: readonly Answer[];
  readonly wrong: readonly Answer[];
}

/** A sample is right when it is the known answer but for case, outer white space and a closing full stop. */
function judged({ texts }: AnsweredShard, draw: QuestionDraw): Judged {
  const samples = draw.seeds.map((seed, place): Answer => {
    const { text, finish_reason } = required(texts, requestId(draw.question_id, place));
    return { text, finish_reason, seed };
  });
  const isNew = ({ text }: Answer, place: number) =>
    samples.findIndex((other) => other.text === text) === place;
  const expected = normalizeAnswer(draw.answer);
  const isRight = ({ text }: Answer) => normalizeAnswer(text) === expected;
  const distinct = samples.filter(isNew);
  return { right: distinct.filter(isRight), wrong: distinct.filter((one) => !isRight(one)) };
}

/** Each of the longer list with one of the shorter, in turn. */
function* pairedUp(
  shard: AnsweredShard,
  draw: QuestionDraw,
  { right, wrong, limit }: Judged & { readonly limit: number },
): Generator<PreferencePair> {
  const count = Math.min(limit, Math.max(right.length, wrong.length));
  for (let place = 0; place < count; place += 1) {
    const chosen = right[place % right.length];
    const rejected = wrong[place % wrong.length];
    if (chosen === undefined || rejected === undefined) return;
    const number = place + 1;
    yield pairOf(shard, draw, { chosen, rejected, rejection_source: 'wrong_answer', number });
  }
}

function lengthNormalised(config: ExperimentConfig): PairTraining {
  const { loss } = regularisedDpo(config);
  const chosen_nll_weight = strategyOptions(config).rpo.nll_weight;
  return { loss: { ...loss, chosen_nll_weight, nll_reduction: 'sequence' } };
}

function requestId(questionId: string, place: number): string {
  return `${questionId}/sample/${String(place + 1)}`;
}
