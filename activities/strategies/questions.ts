/**
 * What strategies share whose pairs are about questions with known answers: the questions of an instruction
 * record, and pairs of two answers to one of them.
 */
import { type Question, QuestionDraw } from '../../contract/questions.ts';
import type { DroppedPair, InstructionRecord, PreferencePair } from '../../contract/records.ts';
import { cleanImage } from '../image-intake.ts';
import { policyId } from '../policy-id.ts';
import { sampled } from './descriptions.ts';
import type { AnsweredShard } from './strategy.ts';

/** The questions of a conversation, each without what was said before it. */
export function questionsOf(
  { example_id, image_id, turns, rejected }: InstructionRecord,
  which: 'first' | 'every',
): Question[] {
  const asked = turns.filter(({ role }) => role === 'user');
  const answers = turns.filter(({ role }) => role === 'assistant');
  const questions = asked.flatMap(({ text: prompt }, place): Question[] => {
    const answer = answers[place]?.text;
    if (answer === undefined) return [];
    const question_id = `${example_id}/${String(place + 1)}`;
    const hallucinated = rejected?.[place] ?? null;
    return [{ question_id, example_id, image_id, prompt, answer, hallucinated }];
  });
  return which === 'first' ? questions.slice(0, 1) : questions;
}

/** One of the two answers: sampled with a seed, or given. */
export interface Answer {
  readonly text: string;
  readonly seed: number | null;
  readonly finish_reason: 'stop' | 'length';
}

/** The answer of the instruction set. */
export function givenAnswer({ answer }: Question): Answer {
  return given(answer);
}

export function given(text: string): Answer {
  return { text, seed: null, finish_reason: 'stop' };
}

interface TwoAnswers {
  readonly chosen: Answer;
  readonly rejected: Answer;
  readonly rejection_source: PreferencePair['provenance']['rejection_source'];
  /** Where a question gives several pairs: which one, from 1. */
  readonly number?: number;
}

export function pairOf(
  { run: { config }, shards }: AnsweredShard,
  draw: QuestionDraw,
  { chosen, rejected, rejection_source, number = 1 }: TwoAnswers,
): PreferencePair {
  const { question_id, example_id, image_id, prompt, contrast } = draw;
  // The text itself is the prompt: an instruction set has no list of prompts to name.
  const prompt_id = `instructions/${question_id}`;
  return {
    pair_id: pairId(question_id, shards.round, number),
    images: [cleanImage(image_id)],
    prompt: [{ role: 'user', content: [{ type: 'image' }, { type: 'text', text: prompt }] }],
    chosen: [{ role: 'assistant', content: [{ type: 'text', text: chosen.text }] }],
    rejected: [{ role: 'assistant', content: [{ type: 'text', text: rejected.text }] }],
    provenance: {
      image_id,
      source_name: example_id,
      round: shards.round,
      policy: policyId(shards.policy),
      prompt_id,
      chosen_prompt_id: prompt_id,
      rejected_prompt_id: prompt_id,
      rejection_source,
      corruption: null,
      corrupted_image: null,
      run_seed: config.seed,
      chosen_seed: chosen.seed,
      rejected_seed: rejected.seed,
      sampling: sampled(config),
      chosen_finish_reason: chosen.finish_reason,
      rejected_finish_reason: rejected.finish_reason,
      ...(contrast === undefined ? {} : { contrast }),
    },
  };
}

/** A question that gives no pair. */
export function droppedQuestion(
  { shards }: AnsweredShard,
  { question_id }: QuestionDraw,
  reason: DroppedPair['reason'],
): DroppedPair {
  const side = reason === 'all_right' ? 'rejected' : reason === 'all_wrong' ? 'chosen' : 'both';
  return { pair_id: pairId(question_id, shards.round, 1), reason, side };
}

export function drawsOf({ store, requests }: AnsweredShard): AsyncIterable<QuestionDraw> {
  return store.readLines(requests, 'draws.jsonl', QuestionDraw);
}

function pairId(questionId: string, round: number, number: number): string {
  const suffix = number === 1 ? '' : `/${String(number)}`;
  return `${questionId}/${String(round)}${suffix}`;
}
