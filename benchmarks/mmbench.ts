/**
 * MMBench as VLMEvalKit scores it without a judge (open-compass/VLMEvalKit e8e78f0,
 * vlmeval/dataset/utils/multiple_choice.py): circular over the rotations of each question, and plain.
 */
import { z } from 'zod';
import { chosenOption } from './answer-text.ts';
import { optionsOf } from './option-columns.ts';
import { inferOption } from './option-inference.ts';
import { findFile, readJsonLines, readTable, type TableRow } from './read-files.ts';
import {
  type BenchmarkScore,
  type Metrics,
  type ScoreFiles,
  ScoreInputError,
  share,
} from './scorer.ts';

/** Rotations of question i have the indices i, i + 1e6, i + 2e6, ... */
const ROTATION = 1_000_000;

const ABBREVIATIONS: Readonly<Record<string, string>> = {
  coarse_perception: 'CP',
  'finegrained_perception (instance-level)': 'FP-S',
  'finegrained_perception (cross-instance)': 'FP-C',
  logic_reasoning: 'LR',
  relation_reasoning: 'RR',
  attribute_reasoning: 'AR',
};

const JsonAnswer = z.object({ question_id: z.union([z.string(), z.number()]), text: z.string() });

interface Row {
  readonly index: number;
  readonly group: number;
  readonly cells: TableRow;
  /** A letter, `Z` for a refusal, null for nothing. */
  readonly inferred: string | null;
  readonly isRight: boolean;
}

export async function scoreMmbench(files: ScoreFiles): Promise<BenchmarkScore> {
  const answers = await readMmbench(files.data, files.answers);
  const infer = files.parser === 'official' ? inferOption : chosenOption;
  const rows = answers.map(({ index, group, cells, text, options }): Row => {
    const inferred = infer(text, options);
    return { index, group, cells, inferred, isRight: inferred === cells.get('answer') };
  });
  const groups = mainRows(rows);
  return {
    metrics: {
      circular: accuracyBySplit(groups),
      n_groups: groups.length,
      vanilla_main_rows: rightShare(groups.map(({ main }) => main)),
      per_row_all_rotations: rightShare(rows),
      not_inferred_rows: rows.filter(({ inferred }) => inferred === null).length,
      inferred_Z_rows: rows.filter(({ inferred }) => inferred === 'Z').length,
    },
    unparsed: rows.filter(({ inferred }) => inferred === null || inferred === 'Z').length,
    items: groups.map(({ main, isRight }) => ({
      item_id: String(main.index),
      parsed: main.inferred,
      score: isRight ? 1 : 0,
    })),
  };
}

/** One answered row of the question table. */
export interface MmbenchAnswer {
  readonly index: number;
  /** Index of the question's first rotation. */
  readonly group: number;
  readonly question: string;
  readonly cells: TableRow;
  /** Texts of the options by letter. */
  readonly options: ReadonlyMap<string, string>;
  /** What the model said. */
  readonly text: string;
}

/** The rows of the table that have an answer. @throws ScoreInputError when there are none. */
export async function readMmbench(data: string, answersFile: string): Promise<MmbenchAnswer[]> {
  const tableFile = await findFile(
    data,
    /^mmbench.*\.tsv$/i,
    'the question table mmbench_dev_20230712.tsv',
  );
  const table = await readTable(tableFile, ['index', 'question', 'answer']);
  const texts = await readAnswers(answersFile);
  const answers = table.flatMap((cells): MmbenchAnswer[] => {
    const index = indexOf(cells, tableFile);
    const text = texts.get(index);
    if (text === undefined) return [];
    const question = cells.get('question') ?? '';
    return [{ index, group: index % ROTATION, question, cells, options: optionsOf(cells), text }];
  });
  if (answers.length > 0) return answers;
  throw new ScoreInputError(
    `Expected answers for the indices of ${tableFile} in ${answersFile}, and found none. Are both of the same version of MMBench?`,
  );
}

interface Group {
  readonly main: Row;
  /** All rotations that were answered are right; one that is absent is not held against it. */
  readonly isRight: boolean;
}

/** Groups whose first rotation was answered; others vanish, as in the script. */
function mainRows(rows: readonly Row[]): Group[] {
  const wrong = new Set(rows.filter(({ isRight }) => !isRight).map(({ group }) => group));
  return rows
    .filter(({ index, group }) => index === group)
    .map((main) => ({ main, isRight: !wrong.has(main.group) }));
}

/** `Overall`, then the six abilities, then the twenty finer ones, as far as the table has them. */
function accuracyBySplit(groups: readonly Group[]): Metrics {
  const splits = [...new Set(groups.map(({ main }) => main.cells.get('split') ?? 'none'))];
  const perSplit = (chosen: readonly Group[]): Metrics[string] => {
    const shares = splits.map((split) =>
      rightShare(chosen.filter(({ main }) => (main.cells.get('split') ?? 'none') === split)),
    );
    return shares.length === 1 ? (shares[0] ?? null) : shares;
  };
  const metrics: Record<string, Metrics[string]> = {
    split: splits.length === 1 ? (splits[0] ?? null) : splits,
    Overall: perSplit(groups),
  };
  for (const columns of [['l2-category', 'L2-category'], ['category']]) {
    const ability = ({ main }: Group): string | undefined =>
      columns.map((column) => main.cells.get(column)).find((cell) => cell !== undefined);
    const names = [...new Set(groups.flatMap((group) => ability(group) ?? []))].sort();
    for (const name of names) {
      metrics[ABBREVIATIONS[name] ?? name] = perSplit(
        groups.filter((group) => ability(group) === name),
      );
    }
  }
  return metrics;
}

function rightShare(rows: readonly { readonly isRight: boolean }[]): number | null {
  return share(rows.filter(({ isRight }) => isRight).length, rows.length);
}

/** Texts by index, out of a table (index, prediction) or LLaVA's JSON lines; the last row counts. */
async function readAnswers(path: string): Promise<Map<number, string>> {
  if (/\.jsonl?$/i.test(path)) {
    const rows = await readJsonLines(path, JsonAnswer);
    return new Map(rows.map(({ question_id, text }) => [Number(question_id), text]));
  }
  const rows = await readTable(path, ['index', 'prediction']);
  // An empty cell is NaN to pandas, and its text is read like any other.
  return new Map(rows.map((row) => [indexOf(row, path), row.get('prediction') ?? 'nan']));
}

function indexOf(row: TableRow, path: string): number {
  const index = Number(row.get('index'));
  if (Number.isInteger(index) && index >= 0) return index;
  throw new ScoreInputError(
    `Expected whole numbers in column "index" of ${path}, got "${row.get('index') ?? ''}".`,
  );
}
