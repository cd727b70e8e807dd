/**
 * ChartQA's relaxed correctness (google-research/pix2struct 945f27e, metrics.py; the function that
 * Qwen-VL, lmms-eval and VLMEvalKit copied): numbers within 5 %, other texts equal but for case.
 */
import { z } from 'zod';
import { lastNumber, statedAnswer } from './answer-text.ts';
import { pythonFloat } from './python-float.ts';
import { readJsonLines } from './read-files.ts';
import {
  type BenchmarkScore,
  type ItemScore,
  type Metrics,
  type ScoreFiles,
  share,
} from './scorer.ts';

const MAX_RELATIVE_CHANGE = 0.05;

/** Rows carry their own target; `text` is the field of LLaVA's answer files. */
const Row = z
  .object({
    target: z.string(),
    prediction: z.string().optional(),
    text: z.string().optional(),
    source: z.string().optional(),
    question_id: z.union([z.string(), z.number()]).optional(),
  })
  .refine((row) => row.prediction !== undefined || row.text !== undefined, {
    message: 'expected a field "prediction" (or "text") beside "target"',
  });

export async function scoreChartqa(files: ScoreFiles): Promise<BenchmarkScore> {
  const rows = await readJsonLines(files.answers, Row);
  const scored = rows.map((row, index) => {
    const prediction = row.prediction ?? row.text ?? '';
    const right =
      files.parser === 'official'
        ? relaxedCorrectness(row.target, prediction)
        : robustCorrectness(row.target, prediction);
    const parsed = prediction.trim() === '' ? null : prediction;
    const item: ItemScore = {
      item_id: String(row.question_id ?? index),
      parsed,
      score: right ? 1 : 0,
    };
    return { item, source: row.source };
  });
  const sources = [...new Set(scored.flatMap(({ source }) => source ?? []))].sort();
  const bySource = Object.fromEntries(
    sources.map((name) => {
      const { n, correct } = tally(scored.filter(({ source }) => source === name));
      return [name, { n, correct }];
    }),
  );
  const metrics: Metrics = {
    ...tally(scored),
    ...(sources.length === 0 ? {} : { by_source: bySource }),
  };
  const items = scored.map(({ item }) => item);
  return { metrics, unparsed: items.filter(({ parsed }) => parsed === null).length, items };
}

function tally(scored: readonly { readonly item: ItemScore }[]) {
  const correct = scored.filter(({ item }) => item.score === 1).length;
  return { n: scored.length, correct, accuracy: share(correct, scored.length) };
}

/** A target of 0 is compared as text, as the script's truth test of the number has it. */
export function relaxedCorrectness(target: string, prediction: string): boolean {
  const wanted = toNumber(target);
  const given = toNumber(prediction);
  if (given !== null && wanted !== null && wanted !== 0) {
    return Math.abs(given - wanted) / Math.abs(wanted) <= MAX_RELATIVE_CHANGE;
  }
  return prediction.toLowerCase() === target.toLowerCase();
}

function toNumber(text: string): number | null {
  if (!text.endsWith('%')) return pythonFloat(text);
  const value = pythonFloat(text.replace(/%+$/, ''));
  return value === null ? null : value / 100;
}

/** Ours: reads the stated answer out of a sentence; per cent signs and units do not matter. */
function robustCorrectness(target: string, prediction: string): boolean {
  const wanted = pythonFloat(target.replace(/[%,]/g, ''));
  if (wanted === null)
    return statedAnswer(prediction).toLowerCase() === target.toLowerCase().trim();
  const given = lastNumber(prediction);
  if (given === null) return false;
  return wanted === 0
    ? given === 0
    : Math.abs(given - wanted) / Math.abs(wanted) <= MAX_RELATIVE_CHANGE;
}
