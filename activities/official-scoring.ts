/**
 * An official benchmark scored as its own script scores it: the answers file is written, then read by both
 * parsers. Judgements that are missing are missing: then there is no figure, and no item has a score.
 */
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fillSheet, sheetFileName } from '../benchmarks/answer-sheet.ts';
import { familyOf } from '../benchmarks/narrow.ts';
import {
  type BenchmarkScore,
  type ItemScore,
  type ScoreFiles,
  ScoreInputError,
} from '../benchmarks/scorer.ts';
import { SCORERS } from '../benchmarks/scorers.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { OfficialBenchmark } from '../contract/config-evaluation.ts';
import { Judging } from '../contract/judgements.ts';
import type { AnswerMode, BenchmarkFigures, ScoredItem } from '../contract/measures.ts';
import { QuestionRecord } from '../contract/records.ts';
import { SticflowError } from '../store/errors.ts';
import type { Store } from '../store/store.ts';
import { collected } from './collected.ts';
import { ANSWER_SHEET, SCORING_FILES } from './official-set.ts';
import { askedItem, type Scoring } from './own-scoring.ts';

const AnswerSheetFile = z.strictObject({
  form: z.enum(['json', 'lines', 'table']),
  text: z.string(),
});

/** Benchmarks of which a judge reads every answer, or every answer that rules cannot read. */
const ALWAYS_JUDGED: readonly OfficialBenchmark[] = ['llavabench', 'mmvet'];
const JUDGED_BEYOND_RULES: readonly OfficialBenchmark[] = ['mathvista'];

/** What the scorers print or repeat by item: it stands elsewhere in the artifact. */
const LEFT_OUT = ['stdout', 'per_sample'];

export interface OfficialScores {
  readonly items: readonly ScoredItem[];
  readonly figures: readonly BenchmarkFigures[];
}

/** Writes the answers files into `directory`. */
export async function scoreOfficial(
  store: Store,
  benchmark: OfficialBenchmark,
  scoring: Scoring,
  directory: string,
): Promise<OfficialScores> {
  const { source, answered, modes } = scoring;
  const questions = await collected(store.readLines(source, 'questions.jsonl', QuestionRecord));
  const sheet = await store.readJson(source, ANSWER_SHEET, AnswerSheetFile);
  const items: ScoredItem[] = [];
  const figures: BenchmarkFigures[] = [];
  for (const mode of modes) {
    const asked = questions.map((question) => askedItem(question, mode, answered));
    const answers_file = sheetFileName(mode, sheet.form);
    const answers = join(directory, answers_file);
    const texts = asked.map(({ text }) => text);
    await writeFile(answers, fillSheet(sheet, texts));
    const data = join(store.directory(source), SCORING_FILES);
    const judged = await judgedFiles(store, answers, scoring.judgements.get(mode));
    const scored = await scoreBoth(benchmark, data, judged);
    // Rotations of one MMBench question are one item.
    const ids = questions.map(({ question_id }) => familyOf(benchmark, question_id));
    figures.push({ mode, answers_file, ...figuresOf(scored, new Set(ids).size) });
    items.push(...scoredItems(benchmark, asked, scored));
  }
  return { items, figures };
}

/** What the scorer reads: the answers as they are, or with what a judge made of them. */
interface JudgedFiles {
  readonly answers: string;
  /** One a run of the judge; null = the scorer reads none. */
  readonly runs: readonly (string | null)[];
  /** null = nobody judged. */
  readonly isPartial: boolean | null;
}

async function judgedFiles(
  store: Store,
  answers: string,
  ref: ArtifactRef | undefined,
): Promise<JudgedFiles> {
  if (ref === undefined) return { answers, runs: [null], isPartial: null };
  const judging = await store.readJson(ref, 'judging.json', Judging);
  const { scorer_files } = judging;
  const inside = (name: string): string => join(store.directory(ref), name);
  return {
    answers: scorer_files.answers === null ? answers : inside(scorer_files.answers),
    runs: scorer_files.judgements.length === 0 ? [null] : scorer_files.judgements.map(inside),
    isPartial: isPartiallyJudged(judging),
  };
}

/** Where the config wants it, a reply that is of no use counts as in the official script. */
function isPartiallyJudged(judging: Judging): boolean {
  const { benchmark, official_failures, missing_by_reason, counts, partial } = judging;
  // What MMBench's script does then is to draw an option, which is never done here.
  if (!official_failures || benchmark === 'mmbench') return partial;
  const { unreadable = 0, refused = 0 } = missing_by_reason;
  return counts.missing > unreadable + refused;
}

/** Both parsers' readings; null where a judge has to read first and has not. */
interface BothScores {
  readonly official: BenchmarkScore;
  readonly robust: BenchmarkScore;
  readonly isPartial: boolean;
  readonly numJudged: number;
}

async function scoreBoth(
  benchmark: OfficialBenchmark,
  data: string,
  { answers, runs, isPartial }: JudgedFiles,
): Promise<BothScores | null> {
  if (isPartial === null && ALWAYS_JUDGED.includes(benchmark)) return null;
  // Every question waits for a judgement: there is nothing that a scorer could read.
  if (isPartial === true && (await stat(answers)).size === 0) return null;
  const score = SCORERS[benchmark];
  if (score === undefined) throw new Error(`no scorer of ${benchmark}`);
  const scoredBy = async (parser: ScoreFiles['parser']): Promise<BenchmarkScore> => {
    const scores: BenchmarkScore[] = [];
    for (const judgements of runs) scores.push(await score({ data, answers, judgements, parser }));
    return meanOfRuns(scores);
  };
  try {
    const official = await scoredBy('official');
    const robust = await scoredBy('robust');
    const { items, unparsed } = official;
    if (isPartial === null && JUDGED_BEYOND_RULES.includes(benchmark) && unparsed > 0) {
      return { official, robust, isPartial: true, numJudged: items.length - unparsed };
    }
    const numJudged = items.filter(({ score: given }) => given !== null).length;
    return { official, robust, isPartial: isPartial === true, numJudged };
  } catch (error) {
    if (!(error instanceof ScoreInputError)) throw error;
    throw new SticflowError('DataInvalid', `${benchmark}: ${error.message}`, { cause: error });
  }
}

/** An item's score is the mean over the runs of the judge; the figures of each run stand by themselves. */
function meanOfRuns(runs: readonly BenchmarkScore[]): BenchmarkScore {
  const [first, ...others] = runs;
  if (first === undefined) throw new Error('a benchmark is scored at least once');
  if (others.length === 0) return first;
  const items = first.items.map((item): ItemScore => {
    const same = runs.flatMap(
      (run) => run.items.find(({ item_id }) => item_id === item.item_id) ?? [],
    );
    const scores = same.flatMap(({ score }) => score ?? []);
    const isWhole = scores.length === runs.length;
    const pairs = same.map(({ parsed }) => (parsed ?? '').split(' ').map(Number));
    const parsed = isWhole ? [0, 1].map((at) => mean(pairs.map((pair) => pair[at] ?? 0))) : null;
    return {
      item_id: item.item_id,
      parsed: parsed === null ? null : parsed.join(' '),
      score: isWhole ? mean(scores) : null,
    };
  });
  const metrics = { runs: runs.map((run) => run.metrics) };
  return { metrics, unparsed: Math.max(...runs.map(({ unparsed }) => unparsed)), items };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function figuresOf(
  scored: BothScores | null,
  num_items: number,
): Omit<BenchmarkFigures, 'mode' | 'answers_file'> {
  if (scored === null) {
    const nothing = { metrics: null, unparsed: 0 };
    return { official: nothing, robust: nothing, num_items, num_judged: 0 };
  }
  const { official, robust, isPartial, numJudged } = scored;
  return {
    official: parserFigures(official, isPartial),
    robust: parserFigures(robust, isPartial),
    num_items,
    num_judged: isPartial ? numJudged : num_items,
  };
}

function parserFigures(
  { metrics, unparsed }: BenchmarkScore,
  isPartial: boolean,
): BenchmarkFigures['official'] {
  if (isPartial) return { metrics: null, unparsed };
  const kept = Object.entries(metrics).filter(([name]) => !LEFT_OUT.includes(name));
  // Metrics are JSON by their type; the contract checks it once more when it is read.
  return { metrics: Object.fromEntries(kept) as z.infer<ReturnType<typeof z.json>>, unparsed };
}

/** One item for each that the scorer counts: of MMBench, a question with all its rotations. */
function scoredItems(
  benchmark: OfficialBenchmark,
  asked: readonly ReturnType<typeof askedItem>[],
  scored: BothScores | null,
): ScoredItem[] {
  if (scored === null) {
    const items = asked.filter((item) => isMainRotation(benchmark, item));
    return items.map((item) => ({ ...item, parsed: null, score: null }));
  }
  const official = byQuestion(asked, scored.official.items);
  const robust = byQuestion(asked, scored.robust.items);
  return asked.flatMap((item): ScoredItem[] => {
    const own = official.get(item.item_id);
    if (scored.isPartial) {
      // The scorer knows nothing of an answer without a judgement; it was given all the same.
      const isItem = own !== undefined || isMainRotation(benchmark, item);
      return isItem ? [{ ...item, parsed: own?.parsed ?? null, score: null }] : [];
    }
    if (own === undefined) return [];
    const robust_score = robust.get(item.item_id)?.score ?? null;
    const { parsed, score } = own;
    return [{ ...item, parsed, score, robust_score, ...weightOf(benchmark, own) }];
  });
}

function isMainRotation(
  benchmark: OfficialBenchmark,
  { item_id, mode }: ReturnType<typeof askedItem>,
): boolean {
  const question = item_id.slice(0, -`/${mode}`.length);
  return familyOf(benchmark, question) === question;
}

/**
 * Scorers name an item as their answers file does, mostly by the question's id; TextVQA's names the image,
 * so that its items are known by their order, which is that of the answers.
 */
function byQuestion(
  asked: readonly { readonly item_id: string; readonly mode: AnswerMode }[],
  items: readonly ItemScore[],
): ReadonlyMap<string, ItemScore> {
  const known = new Map(
    asked.map(({ item_id, mode }) => [item_id.slice(0, -`/${mode}`.length), item_id]),
  );
  if (items.every(({ item_id }) => known.has(item_id))) {
    return new Map(items.map((item) => [known.get(item.item_id) ?? '', item]));
  }
  if (items.length !== asked.length) {
    throw new SticflowError(
      'Internal',
      `Expected an item for each of ${asked.length} answers, the scorer gives ${items.length}.`,
    );
  }
  return new Map(items.map((item, place) => [asked[place]?.item_id ?? '', item]));
}

/** LLaVA-Bench: the model's points are out of those that the reference got from the same judge. */
function weightOf(benchmark: OfficialBenchmark, { parsed }: ItemScore): { weight?: number } {
  if (benchmark !== 'llavabench' || parsed === null) return {};
  const points = Number(parsed.split(' ')[0]);
  return points > 0 ? { weight: points } : {};
}
