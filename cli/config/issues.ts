/** What is wrong with a config: one issue a mistake, each with its place, key and remedy. */
import { SticflowError } from '../../store/errors.ts';

/** Where a mistake was made: in the file, or in a `--set` on the command line. */
export type Place =
  | { readonly in: 'file'; readonly line: number; readonly column: number }
  | { readonly in: 'override'; readonly text: string; readonly index: number };

export interface ConfigIssue {
  readonly place: Place;
  /** Dotted, as the user spells it; empty for the whole file. */
  readonly key: string;
  readonly message: string;
}

/** All mistakes of one config at once. */
export class ConfigError extends SticflowError {
  readonly file: string;
  readonly issues: readonly ConfigIssue[];

  constructor(file: string, issues: readonly ConfigIssue[]) {
    const sorted = [...issues].sort(byPlace);
    const count = sorted.length === 1 ? '1 mistake' : `${String(sorted.length)} mistakes`;
    const lines = sorted.map((issue) => formatIssue(file, issue));
    super('ConfigInvalid', [`${file}: ${count}`, ...lines].join('\n'));
    this.file = file;
    this.issues = sorted;
  }
}

/** `file:line:column key: message`, or `--set key=value key: message`. */
export function formatIssue(file: string, issue: ConfigIssue): string {
  const { place } = issue;
  const where =
    place.in === 'file' ? `${file}:${place.line}:${place.column}` : `--set ${place.text}`;
  return issue.key === ''
    ? `${where}: ${issue.message}`
    : `${where} ${issue.key}: ${issue.message}`;
}

/** `evaluation.sets.0.name`: the spelling that `--set` takes. */
export function dotted(path: readonly (string | number)[]): string {
  return path.map(String).join('.');
}

function byPlace({ place: a }: ConfigIssue, { place: b }: ConfigIssue): number {
  if (a.in === 'file' && b.in === 'file') return a.line - b.line || a.column - b.column;
  if (a.in === 'override' && b.in === 'override') return a.index - b.index;
  return a.in === 'file' ? -1 : 1;
}
