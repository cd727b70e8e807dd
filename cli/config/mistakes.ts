/** zod's findings as sentences for a person: what was expected, what came, what to do. */
import type { z } from 'zod';
import type { Path } from './document.ts';
import { dotted } from './issues.ts';
import { nearestName } from './nearest.ts';
import { allKeys, isNullable, keysOf, nodeAt, type SchemaNode, withoutNull } from './schema.ts';

export interface Mistake {
  readonly path: Path;
  /** Whether the key or its value is at fault. */
  readonly target: 'key' | 'value';
  readonly message: string;
}

/** One mistake per finding; one per key where several keys of a section are unknown. */
export function describeFinding(
  issue: z.core.$ZodIssue,
  root: unknown,
  schema: SchemaNode,
): readonly Mistake[] {
  // Our configs have string keys and list indices only.
  const path = issue.path.map((segment) =>
    typeof segment === 'number' ? segment : String(segment),
  );
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...path, key],
      target: 'key',
      message: describeUnknown(key, path, schema),
    }));
  }
  if (issue.code === 'custom') return [{ path, target: 'value', message: issue.message }];
  const node = nodeAt(schema, path) ?? {};
  const value = valueAt(root, path);
  const message =
    value === undefined ? describeAbsent(path, node) : describeWrong(value, node, issue.message);
  return [{ path, target: 'value', message }];
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const segment of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[segment]; // lists and sections are both indexed by name
  }
  return value;
}

function describeUnknown(key: string, section: Path, schema: SchemaNode): string {
  const known = keysOf(nodeAt(schema, section));
  const near = nearestName(key, known);
  if (near !== null) return `unknown key. Did you mean "${near}"?`;
  const elsewhere = allKeys(schema).filter((name) => name.split('.').at(-1) === key);
  if (elsewhere.length > 0) return `unknown key here. It belongs to ${elsewhere.join(' or ')}.`;
  const name = section.length === 0 ? 'at the top' : `of ${dotted(section)}`;
  return `unknown key. The keys ${name} are: ${known.join(', ')}.`;
}

function describeAbsent(path: Path, node: SchemaNode): string {
  const about = node.description === undefined ? '' : ` (${node.description})`;
  return `missing. Expected ${describeExpected(node)}${about}. Add "${String(path.at(-1))}: ..." here.`;
}

function describeWrong(value: unknown, node: SchemaNode, zodMessage: string): string {
  // A pattern says in its own words what it wants.
  const body = withoutNull(node);
  const isPattern = body.pattern !== undefined && typeof value === 'string';
  const expected = isPattern ? zodMessage : `expected ${describeExpected(node)}`;
  return `${expected}, got ${describeValue(value)}. ${remedy(value, node)}`.trimEnd();
}

function remedy(value: unknown, node: SchemaNode): string {
  const body = withoutNull(node);
  const isNumber = body.type === 'number' || body.type === 'integer';
  if (typeof value === 'string') {
    if (isNumber && value.trim() !== '' && Number.isFinite(Number(value)))
      return 'Remove the quotes.';
    if (body.type === 'boolean') return 'YAML knows true and false.';
    const near = nearestName(value, (body.enum ?? []).map(String));
    if (near !== null) return `Did you mean "${near}"?`;
  }
  if (body.type === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    return 'Put it in quotes if that is what you mean.';
  }
  if (body.type === 'array' && typeof value === 'string') return `Write it as a list: [${value}].`;
  if (body.type === 'object') {
    const keys = keysOf(body);
    return keys.length === 0 ? '' : `Its keys are: ${keys.join(', ')}.`;
  }
  return node.default === undefined ? '' : `The default is ${JSON.stringify(node.default)}.`;
}

/** `a whole number from 1 to 50`, `one of "cosine", "linear"`: from the schema alone. */
export function describeExpected(node: SchemaNode): string {
  const expected = describeBody(withoutNull(node));
  return isNullable(node) ? `${expected} or null` : expected;
}

function describeBody(node: SchemaNode): string {
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum !== undefined) {
    const values = node.enum.map((value) => JSON.stringify(value)).join(', ');
    return node.enum.length === 1 ? values : `one of ${values}`;
  }
  switch (node.type) {
    case 'integer':
      return `a whole number${describeRange(node)}`;
    case 'number':
      return `a number${describeRange(node)}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return `a list${describeLength(node)}`;
    case 'object':
      return 'a section of keys and values';
    default:
      if (node.format !== undefined) return 'a path';
      return node.maxLength === undefined
        ? 'text'
        : `text of at most ${String(node.maxLength)} characters`;
  }
}

function describeRange(node: SchemaNode): string {
  const maximum = node.maximum === Number.MAX_SAFE_INTEGER ? undefined : node.maximum;
  if (node.minimum !== undefined && maximum !== undefined) {
    return ` from ${String(node.minimum)} to ${String(maximum)}`;
  }
  const bounds = [
    node.exclusiveMinimum === undefined ? '' : `above ${String(node.exclusiveMinimum)}`,
    node.minimum === undefined ? '' : `of at least ${String(node.minimum)}`,
    maximum === undefined ? '' : `of at most ${String(maximum)}`,
  ].filter((bound) => bound !== '');
  return bounds.length === 0 ? '' : ` ${bounds.join(' and ')}`;
}

function describeLength(node: SchemaNode): string {
  const items =
    node.items?.enum === undefined ? '' : ` of ${node.items.enum.map(String).join(', ')}`;
  const least = node.minItems === undefined ? '' : ` with at least ${String(node.minItems)} item`;
  const most = node.maxItems === undefined ? '' : ` with at most ${String(node.maxItems)} items`;
  return `${items}${least}${most}`;
}

function describeValue(value: unknown): string {
  if (value === null) return 'nothing (null)';
  if (Array.isArray(value)) return `a list of ${String(value.length)}`;
  switch (typeof value) {
    case 'string':
      return value.length > 60 ? `"${value.slice(0, 60)}..."` : JSON.stringify(value);
    case 'object':
      return 'a section';
    case 'number':
      return String(value);
    default:
      return JSON.stringify(value);
  }
}
