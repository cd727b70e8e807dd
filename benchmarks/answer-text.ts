/** How the `robust` parsers find what a text gives as its answer. Shared by the benchmarks; ours. */

/** A text longer than this is a loop of repetitions; the rest cannot hold the answer. */
const MAX_LENGTH = 20_000;

/** A text that states more answers than this states none. */
const MAX_STATEMENTS = 20;

const MARKER = /(?:answer|option|choice)(?:\s+is)?\s*(?::|\bis\b)\s*/gi;

/**
 * What stands after the last "answer is" or "answer:", else the text; without markdown emphasis,
 * quotes and the full stop that surround it.
 */
export function statedAnswer(text: string): string {
  return statedAnswers(text)[0] ?? '';
}

/** All of what may be meant: after each marker, the last one first, then the whole text. */
function statedAnswers(text: string): string[] {
  const short = text.slice(0, MAX_LENGTH);
  const stated = [...short.matchAll(MARKER)].map((marker) => {
    const [line = ''] = short.slice(marker.index + marker[0].length, MAX_LENGTH).split('\n', 1);
    return bare(line);
  });
  return [...stated.reverse(), bare(short)];
}

/** Without surrounding white space, emphasis, quotes and closing punctuation. */
function bare(text: string): string {
  const isEdge = (character: string): boolean => ' \t\r\n*_`"\'“”‘’'.includes(character);
  let start = 0;
  let end = text.length;
  while (start < end && isEdge(text.charAt(start))) start++;
  while (end > start && (isEdge(text.charAt(end - 1)) || text.charAt(end - 1) === '.')) end--;
  return text.slice(start, end);
}

/**
 * The option that a text chooses: a letter alone, in brackets or before `.`, `)` or `:`, or the text
 * of exactly one option. Null when it chooses none or several.
 */
export function chosenOption(text: string, options: ReadonlyMap<string, string>): string | null {
  const answers = statedAnswers(text).slice(0, MAX_STATEMENTS);
  for (const answer of answers) {
    const [, letter = ''] = /^\(?([A-Za-z])(?:$|[).:](?:\s|\*|$)|\*)/.exec(answer) ?? [];
    if (options.has(letter.toUpperCase())) return letter.toUpperCase();
  }
  for (const answer of answers) {
    const named = namedOption(answer.toLowerCase(), options);
    if (named !== null) return named;
  }
  return null;
}

/** The option that the answer equals, or the only one in an answer not much longer than it. */
function namedOption(answer: string, options: ReadonlyMap<string, string>): string | null {
  const wanted = [...options].map(([letter, option]) => [letter, statedText(option)] as const);
  const equal = wanted.filter(([, option]) => option === answer);
  if (equal.length === 1) return equal[0]?.[0] ?? null;
  const inside = wanted.filter(
    ([, option]) =>
      option.length > 1 && answer.length <= 10 * option.length && answer.includes(option),
  );
  return inside.length === 1 ? (inside[0]?.[0] ?? null) : null;
}

function statedText(option: string): string {
  return bare(option).toLowerCase();
}

/** The last number in a text, with commas, currency and a trailing per cent sign taken off. */
export function lastNumber(text: string): number | null {
  const found = statedAnswer(text)
    .match(/[-\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?/g)
    ?.at(-1);
  return found === undefined ? null : Number(found.replaceAll(',', '').replace('\u2212', '-'));
}
