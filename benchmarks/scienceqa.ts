/**
 * ScienceQA as LLaVA scores it (haotian-liu/LLaVA c121f04, llava/eval/eval_science_qa.py): accuracy
 * over the split, and over the questions whose logged prompt holds an image.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { chosenOption } from './answer-text.ts';
import { readJsonFile, readJsonLines } from './read-files.ts';
import { type BenchmarkScore, type ItemScore, type ScoreFiles, share } from './scorer.ts';

const LETTERS = ['A', 'B', 'C', 'D', 'E'];

const Problems = z.record(z.string(), z.object({ choices: z.array(z.string()), answer: z.int() }));
const Splits = z.object({ test: z.array(z.string()) });
const Answer = z.object({
  question_id: z.union([z.string(), z.number()]).transform(String),
  prompt: z.string().default(''),
  text: z.string(),
});

export async function scoreScienceqa(files: ScoreFiles): Promise<BenchmarkScore> {
  const problems = await readJsonFile(join(files.data, 'problems.json'), Problems);
  const { test } = await readJsonFile(join(files.data, 'pid_splits.json'), Splits);
  const rows = await readJsonLines(files.answers, Answer);
  // Of several rows with one id the last counts.
  const answers = new Map(rows.map((row) => [row.question_id, row]));
  const read = files.parser === 'official' ? readLetter : readLetterRobustly;
  const items: (ItemScore & { readonly letter: string | null; readonly isImage: boolean })[] = [];
  for (const id of test) {
    const problem = problems[id];
    if (problem === undefined) continue;
    const answer = answers.get(id);
    const letter = answer === undefined ? null : read(answer.text, problem.choices);
    const index = letter === null ? -1 : choiceIndex(letter, problem.choices);
    items.push({
      item_id: id,
      parsed: letter,
      score: index === problem.answer ? 1 : 0,
      letter,
      // A missing answer leaves the image questions, as in the script: there is no prompt to look at.
      isImage: answer?.prompt.includes('<image>') ?? false,
    });
  }
  const failed = items.filter(({ letter }) => letter === null).length;
  const images = items.filter(({ isImage }) => isImage);
  const metrics = {
    stdout: '',
    ...accuracies(items, images),
    unparsed_FAILED: failed,
    letter_out_of_range: items.filter(
      ({ item_id, letter }) =>
        letter !== null && choiceIndex(letter, problems[item_id]?.choices ?? []) === -1,
    ).length,
    missing_predictions: items.filter(({ item_id }) => !answers.has(item_id)).length,
  };
  return {
    metrics: { ...metrics, stdout: printedLine(metrics) },
    unparsed: failed,
    items: items.map(({ item_id, parsed, score }) => ({ item_id, parsed, score })),
  };
}

/** The letter that LLaVA's script reads; null where it says FAILED. Nothing is stripped. */
export function readLetter(text: string): string | null {
  if (LETTERS.includes(text)) return text;
  const [first = ''] = text;
  if (LETTERS.includes(first) && text.startsWith('. ', 1)) return first;
  // The closing full stop is any character in the script's pattern; two sentences are none.
  const found = [...text.matchAll(/The answer is ([A-Z])[^\n]/gu)];
  return found.length === 1 ? (found[0]?.[1] ?? null) : null;
}

function readLetterRobustly(text: string, choices: readonly string[]): string | null {
  return chosenOption(
    text,
    new Map(choices.map((choice, index) => [LETTERS[index] ?? '', choice])),
  );
}

/** -1 when the question has fewer choices: wrong, and never a random choice. */
function choiceIndex(letter: string, choices: readonly string[]): number {
  return LETTERS.slice(0, choices.length).indexOf(letter);
}

interface Accuracies {
  readonly total: number;
  readonly correct: number;
  readonly accuracy_pct: number | null;
  readonly img_total: number;
  readonly img_correct: number;
  readonly img_accuracy_pct: number | null;
}

function accuracies(all: readonly ItemScore[], images: readonly ItemScore[]): Accuracies {
  const right = (items: readonly ItemScore[]): number =>
    items.filter(({ score }) => score === 1).length;
  const percent = (items: readonly ItemScore[]): number | null => {
    const accuracy = share(right(items), items.length);
    return accuracy === null ? null : accuracy * 100;
  };
  return {
    total: all.length,
    correct: right(all),
    accuracy_pct: percent(all),
    img_total: images.length,
    img_correct: right(images),
    img_accuracy_pct: percent(images),
  };
}

function printedLine({ total, correct, accuracy_pct, img_accuracy_pct }: Accuracies): string {
  const shown = (percent: number | null): string => `${percent?.toFixed(2) ?? 'undefined '}%`;
  return `Total: ${String(total)}, Correct: ${String(correct)}, Accuracy: ${shown(accuracy_pct)}, IMG-Accuracy: ${shown(img_accuracy_pct)}`;
}
