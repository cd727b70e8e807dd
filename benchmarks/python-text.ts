/** Python's `str` where it differs from JavaScript: white space, length, substrings by code point. */

/** What `str.isspace()` holds for, as the inside of a character class. */
const SPACES = String.raw`\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;

/** A regular expression source for `\s` of Python's `re`. */
export const PYTHON_SPACE = `[${SPACES}]`;

const SPACE_RUNS = new RegExp(`${PYTHON_SPACE}+`, 'u');
const LEADING = new RegExp(`^${PYTHON_SPACE}+`, 'u');
const SPACE = new RegExp(`^${PYTHON_SPACE}$`, 'u');

/** `text.strip()` */
export function strip(text: string): string {
  // Walked from the end: a pattern anchored there takes quadratic time on long runs of spaces.
  let end = text.length;
  while (end > 0 && SPACE.test(text.charAt(end - 1))) end--;
  return text.slice(0, end).replace(LEADING, '');
}

/** `text.split()` */
export function splitOnSpaces(text: string): string[] {
  return text.split(SPACE_RUNS).filter((word) => word !== '');
}

const SURROGATE_PAIR = /[\ud800-\udbff][\udc00-\udfff]/g;

/** `len(text)`: code points, where JavaScript counts UTF-16 units. */
export function codePointLength(text: string): number {
  return text.length - (text.match(SURROGATE_PAIR)?.length ?? 0);
}
