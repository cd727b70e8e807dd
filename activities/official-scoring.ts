/**
 * An official benchmark scored as its own script scores it: the answers file is written, then read by both
 * parsers. Judgements that are missing are missing: then there is no figure, and no item has a score.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fillSheet, sheetFileName } from '../benchmarks/answer-sheet.ts';
import {
  type BenchmarkScore,
  type ItemScore,
  type ScoreFiles,
  ScoreInputError,
} from '../benchmarks/scorer.ts';
import { SCORERS } from '../benchmarks/scorers.ts';
import type { OfficialBenchmark } from '../contract/config-evaluation.ts';
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
    const scored = await scoreBoth(benchmark, { data, answers, judgements: null });
    figures.push({ mode, answers_file, ...figuresOf(scored, questions.length) });
    items.push(...scoredItems(benchmark, asked, scored));
  }
  return { items, figures };
}

/** Both parsers' readings; null where a judge has to read first and has not. */
interface BothScores {
  readonly official: BenchmarkScore;
  readonly robust: BenchmarkScore;
  readonly isPartial: boolean;
}

async function scoreBoth(
  benchmark: OfficialBenchmark,
  files: Omit<ScoreFiles, 'parser'>,
): Promise<BothScores | null> {
  if (files.judgements === null && ALWAYS_JUDGED.includes(benchmark)) return null;
  const score = SCORERS[benchmark];
  if (score === undefined) throw new Error(`no scorer of ${benchmark}`);
  try {
    const official = await score({ ...files, parser: 'official' });
    const robust = await score({ ...files, parser: 'robust' });
    const isUnread = JUDGED_BEYOND_RULES.includes(benchmark) && files.judgements === null;
    const isPartial =
      (isUnread && official.unparsed > 0) || official.items.some(({ score: one }) => one === null);
    return { official, robust, isPartial };
  } catch (error) {
    if (!(error instanceof ScoreInputError)) throw error;
    throw new SticflowError('DataInvalid', `${benchmark}: ${error.message}`, { cause: error });
  }
}

function figuresOf(
  scored: BothScores | null,
  numQuestions: number,
): Omit<BenchmarkFigures, 'mode' | 'answers_file'> {
  if (scored === null) {
    const nothing = { metrics: null, unparsed: 0 };
    return { official: nothing, robust: nothing, num_items: numQuestions, num_judged: 0 };
  }
  const { official, robust, isPartial } = scored;
  const num_items = official.items.length;
  return {
    official: parserFigures(official, isPartial),
    robust: parserFigures(robust, isPartial),
    num_items,
    num_judged: isPartial ? num_items - official.unparsed : num_items,
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
  if (scored === null) return asked.map((item) => ({ ...item, parsed: null, score: null }));
  const official = byQuestion(asked, scored.official.items);
  const robust = byQuestion(asked, scored.robust.items);
  return asked.flatMap((item): ScoredItem[] => {
    const own = official.get(item.item_id);
    if (own === undefined) return [];
    const robust_score = robust.get(item.item_id)?.score ?? null;
    if (scored.isPartial) return [{ ...item, parsed: own.parsed, score: null }];
    const { parsed, score } = own;
    return [{ ...item, parsed, score, robust_score, ...weightOf(benchmark, own) }];
  });
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
