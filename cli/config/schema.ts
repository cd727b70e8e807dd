/** The config's JSON Schema as a person writes it, and questions about it: what belongs where. */
import { z } from 'zod';
import { ExperimentConfig } from '../../contract/config.ts';
import { ModelSource, SecretRef, SourceRef } from '../../contract/source.ts';
import type { Path } from './document.ts';

/** The part of JSON Schema that zod writes for our config. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly items?: SchemaNode;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly SchemaNode[];
  /** Sections of several kinds, told apart by a key. */
  readonly oneOf?: readonly SchemaNode[];
  /** Set on fields that take a path in YAML. */
  readonly format?: string;
}

/** `format` of fields that take a path, `builtin:<name>` or, for models, `hub:<owner>/<name>@<commit>`. */
export const SOURCE_FORMAT = 'sticflow-source';

/** JSON Schema (draft 2020-12) of a config file: what `sticflow schema` prints. */
export function configSchema(): SchemaNode & Record<string, unknown> {
  const schema = z.toJSONSchema(ExperimentConfig, {
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      if (isSource(zodSchema)) {
        // People write paths; the CLI turns them into source ids before the contract's pattern applies.
        delete jsonSchema.pattern;
        jsonSchema.format = SOURCE_FORMAT;
      }
    },
  });
  // zod's type allows every keyword of every draft; our config uses those of SchemaNode.
  return {
    ...(schema as SchemaNode & Record<string, unknown>),
    title: 'sticflow experiment',
  };
}

/** `describe()` clones a schema; the checks are shared with the original. */
function isSource(schema: z.core.$ZodType): boolean {
  const checks = schema._zod.def.checks;
  return [SourceRef, ModelSource, SecretRef].some(
    (source) => checks !== undefined && checks[0] === source._zod.def.checks?.[0],
  );
}

/** The node at a path without its `null` alternative; null where the schema has no such place. */
export function nodeAt(root: SchemaNode, path: Path): SchemaNode | null {
  let node: SchemaNode | null = root;
  for (const segment of path) {
    const body: SchemaNode | null = node === null ? null : withoutNull(node);
    node =
      (typeof segment === 'number' ? body?.items : body?.properties?.[segment]) ??
      body?.items ??
      null;
  }
  return node;
}

export function withoutNull(node: SchemaNode): SchemaNode {
  const kinds = [...(node.oneOf ?? []), ...(node.anyOf ?? [])].filter(
    ({ type }) => type !== 'null',
  );
  const [first] = kinds;
  if (first === undefined) return node;
  const body = kinds.length === 1 ? first : sectionOfAllKinds(kinds);
  return { ...node, ...body, anyOf: [], oneOf: [] };
}

/** A section with the keys of every kind; the key that tells them apart takes the name of any. */
function sectionOfAllKinds(kinds: readonly SchemaNode[]): SchemaNode {
  const properties: Record<string, SchemaNode> = {};
  for (const [key, node] of kinds.flatMap((kind) => Object.entries(kind.properties ?? {}))) {
    const known = properties[key];
    const names = [known, node].flatMap((each) => each?.enum ?? each?.const ?? []);
    const isName = known?.const !== undefined || known?.enum !== undefined;
    properties[key] = known === undefined ? node : isName ? { type: 'string', enum: names } : known;
  }
  return { type: 'object', properties };
}

export function isNullable(node: SchemaNode): boolean {
  return node.anyOf?.some((option) => option.type === 'null') ?? false;
}

/** Keys that a section may have; empty for anything but a section. */
export function keysOf(node: SchemaNode | null): string[] {
  return node === null ? [] : Object.keys(withoutNull(node).properties ?? {});
}

/** Every key of the config, dotted, with `*` for list items. */
export function allKeys(node: SchemaNode, prefix: readonly string[] = []): string[] {
  const body = withoutNull(node);
  const below = Object.entries(body.properties ?? {}).flatMap(([key, child]) =>
    allKeys(child, [...prefix, key]),
  );
  const items = body.items === undefined ? [] : allKeys(body.items, [...prefix, '*']);
  return [...(prefix.length === 0 ? [] : [prefix.join('.')]), ...below, ...items];
}
