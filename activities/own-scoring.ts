/** Items of the benchmarks of our own form: each answer and description read and scored by itself. */
import type { BenchmarkName } from '../benchmarks/benchmark.ts';
import { benchmarkOf } from '../benchmarks/registry.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { AnswerMode, ScoredItem } from '../contract/measures.ts';
import { ImageRecord, QuestionRecord, SceneTruth } from '../contract/records.ts';
import type { Store } from '../store/store.ts';
import { descriptionId } from './answer-requests.ts';
import type { Answered } from './answered.ts';

export interface Scoring {
  readonly source: ArtifactRef;
  readonly answered: Answered;
  /** How every question was answered. */
  readonly modes: readonly AnswerMode[];
  /** By mode, where a judge has read the answers. */
  readonly judgements: ReadonlyMap<AnswerMode, ArtifactRef>;
}

export async function scoreOwn(
  store: Store,
  name: BenchmarkName,
  { source, answered, modes }: Scoring,
): Promise<ScoredItem[]> {
  const benchmark = benchmarkOf(name);
  const items: ScoredItem[] = [];
  for await (const question of store.readLines(source, 'questions.jsonl', QuestionRecord)) {
    for (const mode of modes) {
      const asked = askedItem(question, mode, answered);
      items.push({ ...asked, ...benchmark.scoreAnswer(question, asked.text) });
    }
  }
  const { scoreDescription } = benchmark;
  if (scoreDescription === null) return items;
  const truths = new Map<string, SceneTruth>();
  for await (const truth of store.readLines(source, 'truth.jsonl', SceneTruth))
    truths.set(truth.image_id, truth);
  for await (const { image_id } of store.readLines(source, 'images.jsonl', ImageRecord)) {
    const item_id = descriptionId(image_id);
    const truth = truths.get(image_id);
    if (truth === undefined) continue;
    const { text } = answered.of(item_id);
    const { num_true, num_claimed, num_right } = scoreDescription(truth, text);
    items.push({
      type: 'description',
      item_id,
      image_id,
      text,
      num_true_objects: num_true,
      num_described: num_claimed,
      num_correct: num_right,
      hallucinated: num_right < num_claimed,
    });
  }
  return items;
}

type AskedItem = Omit<
  Extract<ScoredItem, { type: 'answer' }>,
  'parsed' | 'score' | 'weight' | 'robust_score'
>;

/** An answer before it is scored. */
export function askedItem(
  question: QuestionRecord,
  mode: AnswerMode,
  answered: Answered,
): AskedItem {
  const { question_id, image_id, question_type, answer: expected } = question;
  const item_id = `${question_id}/${mode}`;
  const { prompt, text } = answered.of(item_id);
  const isInfused = mode === 'dar' && image_id !== null;
  return {
    type: 'answer',
    item_id,
    image_id,
    mode,
    question: question.question,
    question_type,
    expected,
    prompt,
    description: isInfused ? answered.descriptionOf(descriptionId(image_id)) : null,
    text,
  };
}
