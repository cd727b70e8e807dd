/**
 * Which option a free text means, as VLMEvalKit infers it without a judge (open-compass/VLMEvalKit
 * e8e78f0, vlmeval/utils/matching_util.py, `can_infer`).
 */
import { codePointLength, PYTHON_SPACE, splitOnSpaces } from './python-text.ts';

/** Texts that refuse to answer; they count as the option Z, which is never right. */
const REFUSALS = [
  "Sorry, I can't help with images of people yet.",
  "I can't process this file.",
  "I'm sorry, but without the image provided",
  'Cannot determine the answer',
];

const STATED = new RegExp(
  `(?:correct${PYTHON_SPACE}+)?answer${PYTHON_SPACE}+is${PYTHON_SPACE}+\\**([ABCD])`,
  'iu',
);

/** Words from the end among which a lone letter must stand. */
const LAST_WORDS = 5;

/** A letter of `options`, `Z` for a refusal, or null where the text names none or several. */
export function inferOption(text: string, options: ReadonlyMap<string, string>): string | null {
  return inferLetter(text, options) ?? inferText(text, options);
}

function inferLetter(text: string, options: ReadonlyMap<string, string>): string | null {
  if (text.includes('Failed to obtain answer via API')) return null;
  if (REFUSALS.some((refusal) => text.includes(refusal))) return 'Z';
  const words = splitOnSpaces(text.replace(/[.()[\],:;!*#{}]/g, ' '));
  const letters = [...options.keys()].filter((letter) => words.includes(letter));
  const [letter] = letters;
  if (letters.length === 1 && letter !== undefined) {
    if (words.indexOf(letter) > words.length - LAST_WORDS) return letter;
  } else if (letters.length === 0 && words.includes('Z')) return 'Z';
  // Case does not matter to the pattern, so "the answer is apple" states A. As in the script.
  const stated = STATED.exec(text)?.[1]?.toUpperCase();
  return stated !== undefined && options.has(stated) ? stated : null;
}

/** The one option whose text stands in a text that is not much longer than the options. */
function inferText(text: string, options: ReadonlyMap<string, string>): string | null {
  const lower = text.toLowerCase();
  const length = [...options.values()].reduce((sum, option) => sum + codePointLength(option), 0);
  if (codePointLength(lower) > 2 * length) return null;
  const named = [...options].filter(([, option]) => lower.includes(option.toLowerCase()));
  return named.length === 1 ? (named[0]?.[0] ?? null) : null;
}
