/** File name patterns: `*` and `?` within a name, `**` over folders, `[a-z]` and `{jpg,png}`. */
import { SticflowError } from '../store/errors.ts';

/** A pattern split into the folder that it cannot leave and the rest. */
export interface Glob {
  /** Absolute; the part before the first wildcard. */
  readonly folder: string;
  /** How many folders below `folder` may hold matches. */
  readonly depth: number;
  /** Tests a path relative to `folder`, with forward slashes. */
  readonly matches: (name: string) => boolean;
}

const WILDCARD = /[*?[\]{}]/;

/**
 * The glob in an absolute path; null when the path holds no wildcard.
 *
 * @throws SticflowError `ConfigInvalid` for a set that runs backwards, such as `[z-a]`.
 */
export function parseGlob(path: string): Glob | null {
  const wildcard = path.search(WILDCARD);
  if (wildcard === -1) return null;
  const end = path.lastIndexOf('/', wildcard);
  const pattern = path.slice(end + 1);
  const expression = compile(pattern);
  return {
    folder: path.slice(0, end) || '/',
    depth: pattern.includes('**') ? Number.POSITIVE_INFINITY : pattern.split('/').length - 1,
    matches: (name) => expression.test(name),
  };
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(`^${translate(pattern)}$`, 'su');
  } catch (cause) {
    throw new SticflowError(
      'ConfigInvalid',
      `Expected a glob such as photos/**/*.{jpg,png}, got "${pattern}". Mend the set in brackets.`,
      { cause },
    );
  }
}

/** What has a meaning in a glob; a bracket that is not closed stands for itself. */
const PIECES =
  /\*\*\/|\*\*|\*|\?|\[(?<negation>[!^]?)(?<set>\]?[^\]/]*)\]|\{(?<choices>[^{}/]*)\}/gsu;

function translate(pattern: string): string {
  let expression = '';
  let end = 0;
  for (const piece of pattern.matchAll(PIECES)) {
    expression += literal(pattern.slice(end, piece.index)) + expressionOf(piece);
    end = piece.index + piece[0].length;
  }
  return expression + literal(pattern.slice(end));
}

function expressionOf(piece: RegExpExecArray): string {
  const { negation, set, choices } = piece.groups ?? {};
  if (choices !== undefined) return `(?:${choices.split(',').map(translate).join('|')})`;
  if (set !== undefined) {
    const members = set.replace(/[\\\][^]/gu, String.raw`\$&`);
    return negation === '' ? `[${members}]` : `[^/${members}]`;
  }
  // `**/` also stands for no folder at all.
  if (piece[0] === '**/') return '(?:[^/]+/)*';
  if (piece[0] === '**') return '.*';
  return piece[0] === '*' ? '[^/]*' : '[^/]';
}

function literal(text: string): string {
  return text.replace(/[$()*+.?[\\\]^{|}/]/gu, String.raw`\$&`);
}
