/**
 * Loads ScienceQA's test split. Prompts as LLaVA's (c121f04, scripts/convert_sqa_to_llava*.py and
 * llava/eval/model_vqa_science.py); a question without a picture is asked as text alone.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { llavaLine, loadedBenchmark } from './answer-rows.ts';
import { imageFiles } from './image-files.ts';
import { findLayout, type LayoutSearch } from './layouts.ts';
import type { BenchmarkImage, BenchmarkLoader } from './loader.ts';
import { isMissingCell, LETTER_INSTRUCTION, optionLines, optionsOf } from './option-columns.ts';
import { readJsonFile } from './read-files.ts';
import { listOf, requiredText, type TableRecord, tableRecords, textOf } from './records.ts';
import { ScoreInputError } from './scorer.ts';

const SEARCH: LayoutSearch = {
  benchmark: 'ScienceQA',
  folders: ['scienceqa'],
  official: ['problems.json', 'pid_splits.json'],
  table: /^ScienceQA_TEST\.tsv$/i,
  splits: ['test'],
  configs: ['ScienceQA-IMG', 'ScienceQA-FULL'],
  remedy:
    "Put there LLaVA's scienceqa folder (problems.json, pid_splits.json, images/test/), or VLMEvalKit's ScienceQA_TEST.tsv, or the parquet files of split test of Hugging Face's ScienceQA.",
};

const LETTERS = Array.from('ABCDE');
/** LLaVA c121f04, llava/eval/model_vqa_science.py */
const MAX_NEW_TOKENS = 1024;

const Problems = z.record(
  z.string(),
  z.object({
    question: z.string(),
    choices: z.array(z.string()).min(1).max(LETTERS.length),
    answer: z.int().nonnegative(),
    hint: z.string().default(''),
    image: z.string().nullable(),
  }),
);
const Splits = z.object({ test: z.array(z.string()) });
/** What LLaVA's script reads: the question with its context and options, `<image>` somewhere in it. */
const LlavaQuestions = z.array(
  z.object({ id: z.string(), conversations: z.array(z.object({ value: z.string() })).min(1) }),
);

interface Problem {
  readonly id: string;
  readonly question: string;
  readonly hint: string;
  readonly choices: readonly string[];
  /** Place in `choices`. */
  readonly answer: number;
  readonly image: BenchmarkImage | null;
  /** Text before the instruction, where a file of LLaVA's has it. */
  readonly llavaText?: string | undefined;
}

export const loadScienceqa: BenchmarkLoader = async (folder) => {
  const layout = await findLayout(folder, SEARCH);
  const problems =
    layout.kind === 'official'
      ? await officialProblems(layout.folder)
      : (await tableRecords(layout)).map(tableProblem);
  return loadedBenchmark({
    folder,
    items: problems,
    question: (problem) => ({
      question_id: problem.id,
      image: problem.image,
      prompt: scienceqaPrompt(problem),
      question_type: problem.image === null ? 'text' : 'image',
      answer: LETTERS[problem.answer] ?? null,
      max_new_tokens: MAX_NEW_TOKENS,
    }),
    scoringData: scoringData(problems),
    write: (answered) =>
      answered
        .map((one) => {
          const { question_id, image, prompt } = one.question;
          // The scorer tells questions with a picture by the token in the logged prompt.
          return llavaLine(question_id, image === null ? prompt : `<image>\n${prompt}`, one);
        })
        .join(''),
  });
};

/** Context, question, options, instruction. */
export function scienceqaPrompt({
  question,
  hint,
  choices,
  llavaText,
}: Pick<Problem, 'question' | 'hint' | 'choices' | 'llavaText'>): string {
  const options = new Map(choices.map((choice, index) => [LETTERS[index] ?? '', choice]));
  const context = hint === '' ? '' : `Context: ${hint}\n`;
  // LLaVA's script takes double spaces out of the whole text.
  const text = `${context}${question}\n${optionLines(options)}`.replaceAll('  ', ' ').trim();
  return `${llavaText ?? text}\n${LETTER_INSTRUCTION}`;
}

function scoringData(problems: readonly Problem[]): Record<string, string> {
  const byId = problems.map(({ id, question, hint, choices, answer, image }) => {
    return [id, { question, choices, answer, hint, image: image?.name ?? null, split: 'test' }];
  });
  return {
    'problems.json': JSON.stringify(Object.fromEntries(byId)),
    'pid_splits.json': JSON.stringify({ test: problems.map(({ id }) => id) }),
  };
}

async function officialProblems(folder: string): Promise<Problem[]> {
  const file = join(folder, 'problems.json');
  const problems = await readJsonFile(file, Problems);
  const { test } = await readJsonFile(join(folder, 'pid_splits.json'), Splits);
  const texts = await llavaTexts(folder);
  const chosen = test.map((id) => {
    const problem = problems[id];
    if (problem !== undefined && problem.answer < problem.choices.length) return { id, ...problem };
    throw new ScoreInputError(
      `Expected the problems of split test in ${file}, with an answer among the choices, and "${id}" is not there like that. Are problems.json and pid_splits.json of the same version?`,
    );
  });
  const pathOf = ({ id, image }: { id: string; image: string | null }): string[] =>
    // LLaVA's own files name the folder too, the data set's only the file.
    image === null ? [] : [`images/test/${image.includes('/') ? image : `${id}/${image}`}`];
  const images = await imageFiles(
    folder,
    chosen.flatMap(pathOf),
    `Unpack test.zip of ScienceQA into ${join(folder, 'images')}`,
  );
  return chosen.map((problem) => {
    const [path] = pathOf(problem);
    const image = path === undefined ? null : (images.get(path) ?? null);
    return { ...problem, image, llavaText: texts.get(problem.id) };
  });
}

async function llavaTexts(folder: string): Promise<ReadonlyMap<string, string>> {
  const file = join(folder, 'llava_test_CQM-A.json');
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (!isThere) return new Map();
  const questions = await readJsonFile(file, LlavaQuestions);
  return new Map(
    questions.map(({ id, conversations: [question] }) => [
      id,
      (question?.value ?? '').replaceAll('<image>', '').trim(),
    ]),
  );
}

function tableProblem(record: TableRecord): Problem {
  const columns = optionsOf(record.cells);
  const choices = listOf(record, 'choices') ?? [...columns.values()];
  const hint = textOf(record, 'hint') ?? '';
  return {
    id: textOf(record, 'pid', 'index') ?? String(record.position),
    question: requiredText(record, 'question'),
    hint: isMissingCell(hint) ? '' : hint,
    choices,
    answer: answerIndex(requiredText(record, 'answer'), choices, record.place),
    image: record.image,
  };
}

/** A letter, or the place from 0. */
function answerIndex(answer: string, choices: readonly string[], place: string): number {
  const index = /^\d$/.test(answer) ? Number(answer) : LETTERS.indexOf(answer);
  if (index >= 0 && index < Math.min(choices.length, LETTERS.length)) return index;
  throw new ScoreInputError(
    `Expected column "answer" at ${place} to be the letter or the number of one of ${choices.length} choices, got "${answer}". Is it the table of ScienceQA's test split?`,
  );
}
