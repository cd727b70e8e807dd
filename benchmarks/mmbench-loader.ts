/**
 * Loads MMBench dev. The tables hold each question in all rotations of its options, and each row is
 * asked once. Prompts as LLaVA's (c121f04, llava/eval/model_vqa_mmbench.py).
 */
import { llavaLine, loadedBenchmark, numberOrText } from './answer-rows.ts';
import { findLayout, type LayoutSearch } from './layouts.ts';
import type { BenchmarkLoader } from './loader.ts';
import { isMissingCell, LETTER_INSTRUCTION, optionLines, optionsOf } from './option-columns.ts';
import { requiredImage, requiredText, type TableRecord, tableRecords, textOf } from './records.ts';
import { ScoreInputError } from './scorer.ts';

const SEARCH: LayoutSearch = {
  benchmark: 'MMBench dev',
  folders: ['mmbench'],
  // LLaVA's layout is a table, too.
  official: null,
  table: /^mmbench(?!.*_(?:test|cn|cc|ko|ru|local)(?=[_.])).*\.tsv$/i,
  splits: ['dev'],
  configs: ['en'],
  remedy:
    "Put there LLaVA's mmbench_dev_20230712.tsv, or VLMEvalKit's MMBench_DEV_EN.tsv, or the parquet files of split dev of Hugging Face's MMBench (configuration en).",
};

const MAX_NEW_TOKENS = 1024;

export const loadMmbench: BenchmarkLoader = async (folder) => {
  const layout = await findLayout(folder, SEARCH);
  if (layout.kind === 'official') throw new Error('MMBench has no layout but tables.');
  const records = await tableRecords(layout);
  return loadedBenchmark({
    folder,
    items: records,
    question: (record) => ({
      question_id: requiredText(record, 'index'),
      image: requiredImage(record),
      prompt: mmbenchPrompt(record),
      question_type: textOf(record, 'l2-category', 'L2-category', 'category') ?? 'all',
      answer: answerOf(record),
      max_new_tokens: MAX_NEW_TOKENS,
    }),
    scoringData: { 'mmbench_dev.tsv': tableText(records) },
    write: (answered) =>
      answered
        .map((one) => {
          const { question_id, prompt } = one.question;
          return llavaLine(numberOrText(question_id), prompt, one);
        })
        .join(''),
  });
};

/** Hint if there is one, question, options, instruction. */
export function mmbenchPrompt(record: TableRecord): string {
  const hint = textOf(record, 'hint');
  const isHint = hint !== null && !isMissingCell(hint) && !/^(?:nan|none)$/i.test(hint);
  const question = requiredText(record, 'question');
  const options = optionLines(optionsOf(record.cells));
  return [...(isHint ? [hint] : []), question, options, LETTER_INSTRUCTION].join('\n');
}

function answerOf(record: TableRecord): string {
  const answer = textOf(record, 'answer') ?? '';
  if (optionsOf(record.cells).has(answer)) return answer;
  throw new ScoreInputError(
    `Expected column "answer" at ${record.place} to be the letter of one of its options, got "${answer}". The answers of MMBench's test split are not public: take the dev split.`,
  );
}

/** The table without its pictures. */
function tableText(records: readonly TableRecord[]): string {
  const columns = [...new Set(records.flatMap(({ cells }) => [...cells.keys()]))];
  const rows = records.map((record) => columns.map((column) => textOf(record, column) ?? ''));
  return [columns, ...rows].map((cells) => `${cells.map(tableCell).join('\t')}\n`).join('');
}

function tableCell(text: string): string {
  return /["\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
