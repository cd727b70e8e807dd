/**
 * TextVQA as LLaVA scores it (haotian-liu/LLaVA c121f04, llava/eval/eval_textvqa.py): soft accuracy
 * against ten human answers, each left out once.
 */
import { basename } from 'node:path';
import { z } from 'zod';
import { statedAnswer } from './answer-text.ts';
import { findFile, readJsonFile, readJsonLines } from './read-files.ts';
import { type BenchmarkScore, type ScoreFiles, ScoreInputError, share } from './scorer.ts';
import { normalizeTextvqaAnswer } from './textvqa-normalizer.ts';

export const NUM_ANSWERS = 10;

export const Annotations = z.object({
  data: z.array(
    z.object({
      image_id: z.string(),
      question: z.string(),
      answers: z.array(z.string()).length(NUM_ANSWERS),
    }),
  ),
});
/** In LLaVA's files `question_id` is the id of the image. */
const Answer = z.object({ question_id: z.string(), prompt: z.string(), text: z.string() });

export async function scoreTextvqa(files: ScoreFiles): Promise<BenchmarkScore> {
  const annotationFile = await findFile(
    files.data,
    /^TextVQA_.*\.json$/i,
    'the annotation file TextVQA_0.5.1_val.json',
  );
  const { data } = await readJsonFile(annotationFile, Annotations);
  const humanAnswers = new Map(
    data.map(({ image_id, question, answers }) => [key(image_id, question.toLowerCase()), answers]),
  );
  const rows = await readJsonLines(files.answers, Answer);
  const scored = rows.map(({ question_id, prompt, text }) => {
    const question = questionOf(prompt);
    const answers = question === null ? undefined : humanAnswers.get(key(question_id, question));
    if (question === null || answers === undefined) {
      throw new ScoreInputError(
        `Expected each prompt in ${files.answers} to hold a question of ${annotationFile}, and that about image "${question_id}" does not: ${JSON.stringify(prompt.slice(0, 120))}. LLaVA's prompt is the question, perhaps a line of OCR tokens, and one line of instruction.`,
      );
    }
    const read = files.parser === 'official' ? text : statedAnswer(text);
    return { question_id, question, pred: text, score: softAccuracy(read, answers) };
  });
  const accuracy = share(
    scored.reduce((sum, { score }) => sum + score, 0),
    scored.length,
  );
  return {
    metrics: {
      stdout: printedLines(files.answers, scored.length, accuracy),
      accuracy,
      per_sample: scored,
    },
    unparsed: rows.filter(({ text }) => normalizeTextvqaAnswer(text) === '').length,
    items: scored.map(({ question_id, question, pred, score }) => ({
      item_id: `${question_id} ${question}`,
      parsed: normalizeTextvqaAnswer(pred) || null,
      score,
    })),
  };
}

function key(image: string, question: string): string {
  return JSON.stringify([image, question]);
}

/** The script's join key, read back out of the logged prompt; null where it stops with an error. */
export function questionOf(prompt: string): string | null {
  if (prompt.startsWith('OCR tokens: ')) {
    return /Question: (.*?) Short answer:/s.exec(prompt)?.[1]?.toLowerCase() ?? null;
  }
  const lines = prompt.split('\n');
  const hasTokens = prompt.includes('Reference OCR token: ') && lines.length === 3;
  if (!hasTokens && lines.length !== 2) return null;
  const isTokensFirst = hasTokens && prompt.startsWith('Reference OCR token:');
  return (lines[isTokensFirst ? 1 : 0] ?? '').toLowerCase();
}

/**
 * Mean over the ten answers, each left out once, of `min(1, equal others / 3)`: 0, .3, .6, .9, 1 for
 * 0, 1, 2, 3, 4 equal answers.
 */
export function softAccuracy(prediction: string, answers: readonly string[]): number {
  const wanted = normalizeTextvqaAnswer(prediction);
  const isEqual = answers.map((answer) => normalizeTextvqaAnswer(answer) === wanted);
  const numEqual = isEqual.filter(Boolean).length;
  if (numEqual === 0) return 0;
  const scores = isEqual.map((equal) => Math.min(1, (numEqual - (equal ? 1 : 0)) / 3));
  // Summed in the order of the script: the last bit of the mean depends on it.
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}

function printedLines(answersFile: string, samples: number, accuracy: number | null): string {
  const name = basename(answersFile).replace(/(?<=.)\.[^.]*$/, '');
  const percent = accuracy === null ? 'undefined ' : (100 * accuracy).toFixed(2);
  return `${name}\nSamples: ${String(samples)}\nAccuracy: ${percent}%`;
}
