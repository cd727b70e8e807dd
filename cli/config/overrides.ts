/** `--set key=value`: dotted keys, values in YAML, applied over the file in the order given. */
import { parseDocument } from 'yaml';
import type { Path } from './document.ts';
import type { ConfigIssue } from './issues.ts';

export interface Override {
  /** As typed behind `--set`. */
  readonly text: string;
  readonly index: number;
  readonly path: Path;
}

export interface Overridden {
  readonly value: unknown;
  readonly overrides: readonly Override[];
  readonly issues: readonly ConfigIssue[];
}

type Section = Record<string, unknown>;
type Parsed = { readonly path: Path; readonly value: unknown } | { readonly problem: string };

const KEY = /^[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*$/;

/** Returns a changed copy; a key of a list item is its number, `evaluation.sets.0.name`. */
export function applyOverrides(value: unknown, texts: readonly string[]): Overridden {
  const copy: unknown = structuredClone(value);
  const overrides: Override[] = [];
  const issues: ConfigIssue[] = [];
  for (const [index, text] of texts.entries()) {
    const parsed = parseOverride(text);
    const problem = 'problem' in parsed ? parsed.problem : assign(copy, parsed.path, parsed.value);
    if (problem !== null) {
      issues.push({ place: { in: 'override', text, index }, key: '', message: problem });
    } else if ('path' in parsed) {
      overrides.push({ text, index, path: parsed.path });
    }
  }
  return { value: copy, overrides, issues };
}

/** The override that gave a value its present form: the last one at, above or below the path. */
export function overrideOf(overrides: readonly Override[], path: Path): Override | null {
  const touches = ({ path: set }: Override): boolean =>
    set.length <= path.length &&
    set.every((segment, depth) => String(segment) === String(path[depth]));
  return overrides.findLast(touches) ?? null;
}

function parseOverride(text: string): Parsed {
  const equals = text.indexOf('=');
  const key = text.slice(0, equals).trim();
  if (equals === -1 || key === '') {
    return { problem: 'expected key=value, such as preference_training.beta=0.1' };
  }
  if (!KEY.test(key) || key.split('.').includes('__proto__')) {
    return { problem: `expected a dotted key such as generation.batch_size, got "${key}"` };
  }
  const document = parseDocument(text.slice(equals + 1), { prettyErrors: false });
  const [error] = [...document.errors, ...document.warnings];
  if (error !== undefined) {
    return { problem: `expected a YAML value, got "${text.slice(equals + 1)}": ${error.message}` };
  }
  const path = key.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  return { path, value: document.toJS() as unknown };
}

/** Sets a value in place, opening the sections on the way; returns what stands in the way. */
function assign(root: unknown, path: Path, value: unknown): string | null {
  let container: unknown = root;
  for (const [depth, segment] of path.entries()) {
    const key = path.slice(0, depth).map(String).join('.') || 'the config';
    const isLast = depth === path.length - 1;
    if (Array.isArray(container)) {
      const items: unknown[] = container;
      if (typeof segment !== 'number' || segment > items.length) {
        return `expected the number of an item of ${key} (0 to ${String(items.length)}), got "${segment}"`;
      }
      if (isLast) items[segment] = value;
      else container = items[segment] ??= {};
    } else if (isSection(container)) {
      if (isLast) container[segment] = value;
      else container = container[segment] ??= {};
    } else {
      return `expected ${key} to be a section, got ${JSON.stringify(container)}`;
    }
  }
  return null;
}

function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null;
}
