/**
 * LLaVA-Bench (in the wild) from recorded reviews (haotian-liu/LLaVA c121f04,
 * llava/eval/summarize_gpt_review.py): the judge's points for the model relative to the reference.
 */
import { z } from 'zod';
import { pythonFloat } from './python-float.ts';
import { pythonRound } from './python-round.ts';
import { readJsonLines } from './read-files.ts';
import { type BenchmarkScore, type Metrics, type ScoreFiles, ScoreInputError } from './scorer.ts';

const Id = z.union([z.string(), z.number()]).transform(String);
const Answer = z.object({ question_id: Id });
const Pair = z.tuple([z.number(), z.number()]);
const Review = z.object({
  question_id: Id,
  category: z.string().optional(),
  content: z.string().optional(),
  /** null: a judge replied, and the reply was no review. */
  tuple: Pair.nullish(),
  score: Pair.optional(),
});
type Review = z.infer<typeof Review>;

/** Points of reference and model, 1 to 10 each. */
type Pair = readonly [number, number];

/** What the script writes when it cannot read a review, and then averages in. */
const FAILED: Pair = [-1, -1];

interface Judged {
  readonly id: string;
  readonly category: string | undefined;
  readonly pair: Pair | null;
}

export async function scoreLlavabench(files: ScoreFiles): Promise<BenchmarkScore> {
  if (files.judgements === null) {
    throw new ScoreInputError(
      'Expected --judgements with the recorded reviews: LLaVA-Bench cannot be scored without a judge.',
    );
  }
  const answers = await readJsonLines(files.answers, Answer);
  const reviews = await readJsonLines(files.judgements, Review);
  const reviewOf = new Map(reviews.map((review) => [review.question_id, review]));
  const asked = new Set(answers.map(({ question_id }) => question_id));
  const stray = reviews.find(({ question_id }) => !asked.has(question_id));
  if (stray !== undefined) {
    throw new ScoreInputError(
      `Expected reviews of the answers in ${files.answers}, and question ${stray.question_id} of ${files.judgements} has no answer there. Are they of the same model?`,
    );
  }
  const read = files.parser === 'official' ? recordedPair : robustPair;
  const judged = reviews.map(
    (review): Judged => ({
      id: review.question_id,
      category: review.category,
      pair: read(review),
    }),
  );
  const unreadable = judged.filter(({ pair }) => pair === null || isFailed(pair)).length;
  const unreviewed = [...asked].filter((id) => !reviewOf.has(id)).length;
  return {
    metrics: summarize(judged),
    unparsed: unreadable + unreviewed,
    items: judged.map(({ id, pair }) => ({
      item_id: id,
      parsed: pair === null ? null : pair.join(' '),
      score: pair === null || isFailed(pair) ? null : pair[1],
    })),
  };
}

function isFailed(pair: Pair): boolean {
  return pair[0] === FAILED[0] && pair[1] === FAILED[1];
}

function recordedPair(review: Review): Pair | null {
  // The script has no such rows: it writes -1 and averages it in.
  if (review.tuple === null) return null;
  return review.tuple ?? review.score ?? parseReview(review.content ?? '');
}

/** The script's reading of a review: its first line must be two numbers, one space between them. */
export function parseReview(review: string): Pair {
  const [line = ''] = review.split('\n');
  const [reference, model, ...more] = line.replaceAll(',', ' ').split(' ').map(pythonFloat);
  if (more.length > 0 || reference === undefined || model === undefined) return FAILED;
  return reference === null || model === null ? FAILED : [reference, model];
}

/** Ours: the first two numbers of the first line that has two; null where there is none. */
function robustPair({ content, tuple }: Review): Pair | null {
  if (content === undefined) {
    return tuple === undefined || tuple === null || isFailed(tuple) ? null : tuple;
  }
  for (const line of content.slice(0, 2000).split('\n')) {
    const [reference, model] = (line.match(/\d+(?:\.\d+)?/g) ?? []).map(Number);
    if (reference !== undefined && model !== undefined) {
      return reference <= 10 && model <= 10 ? [reference, model] : null;
    }
  }
  return null;
}

/** By category and over all: the ratio of the means x 100, and both means x 10. */
function summarize(judged: readonly Judged[]): Metrics {
  const groups = new Map<string, Pair[]>([['all', []]]);
  for (const { category, pair } of judged) {
    if (pair === null) continue;
    for (const name of category === undefined ? ['all'] : ['all', category]) {
      groups.set(name, [...(groups.get(name) ?? []), pair]);
    }
  }
  const names = [...groups.keys()].sort();
  return Object.fromEntries(names.map((name) => [name, relativeScore(groups.get(name) ?? [])]));
}

function relativeScore(pairs: readonly Pair[]): Metrics {
  if (pairs.length === 0) return { relative_score: null, reference_x10: null, model_x10: null };
  const mean = (side: 0 | 1): number =>
    pythonRound(pairs.reduce((sum, pair) => sum + pair[side], 0) / pairs.length, 3);
  const [reference, model] = [mean(0), mean(1)];
  return {
    relative_score: reference === 0 ? null : pythonRound((model / reference) * 100, 1),
    reference_x10: pythonRound(reference * 10, 1),
    model_x10: pythonRound(model * 10, 1),
  };
}
