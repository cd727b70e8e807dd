/** How MathVista reads and compares answers; see benchmarks/mathvista.ts for the sources. */
import { z } from 'zod';
import { chosenOption, lastNumber } from './answer-text.ts';
import { editDistance } from './edit-distance.ts';
import { floatText, intText, pythonFloat, pythonInt } from './python-float.ts';
import { pythonRound } from './python-round.ts';
import { strip } from './python-text.ts';

/** `str(value)` of what a judge extracted, which need not be a text; null is `None`. */
const Text = z.unknown().transform((value) => {
  if (typeof value === 'string') return value;
  return value === null ? 'None' : JSON.stringify(value);
});
export const MathvistaProblem = z.object({
  question_type: z.string(),
  answer_type: z.string(),
  choices: z.array(z.string()).nullable(),
  precision: z.number().nullable(),
  answer: z.unknown(),
  response: z.string().nullish(),
  extraction: Text.optional(),
  judgement_missing: z
    .boolean()
    .default(false)
    .describe('a judge was to extract and did not: no score can be given'),
  metadata: z.looseObject({ skills: z.array(z.string()).default([]) }),
});
export type MathvistaProblem = z.infer<typeof MathvistaProblem>;

type Question = Pick<MathvistaProblem, 'question_type' | 'answer_type' | 'choices' | 'precision'>;

/** The part of the extraction that needs no judge; '' where a judge would be asked. */
export function extractByRules(
  response: string,
  { question_type, answer_type, choices }: Question,
  quickExtract: 'on' | 'off',
): string {
  if (response === '') return '';
  if (question_type === 'multi_choice' && choices?.includes(response) === true) return response;
  if (answer_type === 'integer') {
    const value = pythonInt(response);
    if (value !== null) return value.toString();
  }
  if (answer_type === 'float') {
    const value = pythonFloat(response);
    if (value !== null) return floatText(value);
  }
  if (quickExtract === 'off') return '';
  return /The answer is "([^\n]*)"\./.exec(response)?.[1] ?? '';
}

/** The extraction in the form of the answer; null where it has no such form. */
export function normalizeExtraction(extraction: string, question: Question): string | null {
  const { question_type, answer_type, choices, precision } = question;
  if (question_type === 'multi_choice') return nearestChoice(extraction, choices ?? []);
  if (answer_type === 'integer') return wholeNumber(pythonFloat(extraction));
  if (answer_type === 'float') return decimalNumber(pythonFloat(extraction), precision);
  return extraction;
}

/**
 * The choice of a letter in brackets or of a capital letter alone, else the choice that is nearest by
 * edit distance: also for an empty extraction, which so gets the shortest choice.
 */
function nearestChoice(extraction: string, choices: readonly string[]): string | null {
  const stripped = strip(extraction);
  const text = /\(([a-zA-Z])\)/.exec(stripped)?.[1]?.toUpperCase() ?? stripped;
  const byLetter = text.length === 1 ? choices[text.charCodeAt(0) - 'A'.charCodeAt(0)] : undefined;
  if (byLetter !== undefined) return byLetter;
  const [nearest] = choices
    .map((choice) => ({ choice, distance: editDistance(text, choice) }))
    .sort((a, b) => a.distance - b.distance);
  return nearest?.choice ?? null;
}

function wholeNumber(value: number | null): string | null {
  return value === null ? null : intText(value);
}

/** `str(round(value, int(precision)))`; null where Python raises. */
function decimalNumber(value: number | null, precision: number | null): string | null {
  if (value === null || precision === null) return null;
  const digits = Math.trunc(precision);
  // Python takes negative digits; no question of the benchmark has them.
  return digits < 0 || digits > 20 ? null : floatText(pythonRound(value, digits));
}

/** Ours: a choice by letter or text and never by edit distance; numbers out of a sentence. */
export function normalizeRobustly(extraction: string, question: Question): string | null {
  const { question_type, answer_type, choices, precision } = question;
  if (question_type === 'multi_choice') {
    const letters = (choices ?? []).map(
      (choice, index) => [String.fromCharCode(65 + index), choice] as const,
    );
    const letter = chosenOption(extraction, new Map(letters));
    return letter === null ? null : (choices?.[letter.charCodeAt(0) - 65] ?? null);
  }
  if (answer_type === 'integer') {
    const value = lastNumber(extraction);
    return value !== null && Number.isInteger(value) ? intText(value) : null;
  }
  if (answer_type === 'float') return decimalNumber(lastNumber(extraction), precision);
  return strip(extraction) === '' ? null : extraction.replace(/,\s*/g, ', ').trim();
}

/** Python's `==` of text and answer: a number in the file equals no text. */
export function isTruth(prediction: string | null, { answer }: MathvistaProblem): boolean {
  return prediction === answer;
}
