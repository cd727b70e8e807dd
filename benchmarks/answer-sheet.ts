/**
 * A benchmark's answers file with blanks for the texts. The loader writes it once, while the user's files
 * are at hand; filling it in later needs neither the files nor the loader.
 */
import type { BenchmarkQuestion, LoadedBenchmark } from './loader.ts';
import { ScoreInputError } from './scorer.ts';

/** White square brackets: no text of a benchmark is one whole value of this form. */
const BLANK = /\u27e6sticflow:(\d+)\u27e7/;
const BLANK_VALUE = new RegExp(`^${BLANK.source}$`);
const QUOTED_BLANK = new RegExp(`"?${BLANK.source}"?`, 'g');

/** JSON: one document. Lines: one JSON document a line. Table: tab-separated, cells quoted by `"`. */
export type SheetForm = 'json' | 'lines' | 'table';

export interface AnswerSheet {
  readonly form: SheetForm;
  readonly text: string;
}

/** @throws ScoreInputError when the loader does not write every text exactly once */
export function blankSheet(
  { answersFile }: Pick<LoadedBenchmark, 'answersFile'>,
  questions: readonly Pick<BenchmarkQuestion, 'question_id' | 'prompt'>[],
): AnswerSheet {
  const text = answersFile(
    questions.map(({ question_id, prompt }, index) => ({
      question_id,
      prompt,
      text: blank(index),
    })),
  );
  const found = [...text.matchAll(new RegExp(BLANK, 'g'))].map(([, index]) => Number(index));
  if (found.length !== questions.length || new Set(found).size !== questions.length) {
    throw new ScoreInputError(
      `Expected the answers file to hold each of ${questions.length} texts once, it holds ${found.length}. This is a defect of the benchmark's loader.`,
    );
  }
  return { form: formOf(text), text };
}

/** The answers file with its texts, one a question, in the order of {@link blankSheet}. */
export function fillSheet({ form, text }: AnswerSheet, texts: readonly string[]): string {
  switch (form) {
    case 'json':
      return `${JSON.stringify(filled(JSON.parse(text), texts), null, 2)}\n`;
    case 'lines':
      return text
        .split('\n')
        .map((line) =>
          line.trim() === '' ? line : JSON.stringify(filled(JSON.parse(line), texts)),
        )
        .join('\n');
    case 'table':
      return text.replace(QUOTED_BLANK, (_all, index) => cell(texts[Number(index)] ?? ''));
  }
}

/** Name of the filled file; scorers tell tables from JSON by it. */
export function sheetFileName(mode: string, form: SheetForm): string {
  const extension = { json: 'json', lines: 'jsonl', table: 'tsv' }[form];
  return `answers-${mode}.${extension}`;
}

function blank(index: number): string {
  return `\u27e6sticflow:${index}\u27e7`;
}

function formOf(text: string): SheetForm {
  if (isJson(text)) return text.trim().includes('\n') ? 'json' : 'lines';
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.every(isJson) ? 'lines' : 'table';
}

function isJson(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}

function filled(value: unknown, texts: readonly string[]): unknown {
  if (typeof value === 'string') {
    const [, index] = BLANK_VALUE.exec(value) ?? [];
    return index === undefined ? value : (texts[Number(index)] ?? '');
  }
  if (Array.isArray(value)) return value.map((item) => filled(item, texts));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, texts)]));
}

/** Always quoted: a text may hold tabs and line ends. */
function cell(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
