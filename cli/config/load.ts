/** YAML file + `--set` -> ExperimentConfig, or every mistake at once, each with its place and remedy. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { ExperimentConfig } from '../../contract/config.ts';
import { registerEndpoint } from '../../store/endpoints.ts';
import { configDir } from '../../store/layout.ts';
import { crossFieldFindings } from './cross-field.ts';
import { type ConfigDocument, type Path, readDocument } from './document.ts';
import { ConfigError, type ConfigIssue, dotted, type Place } from './issues.ts';
import { describeFinding, type Mistake } from './mistakes.ts';
import { nearestName } from './nearest.ts';
import { applyOverrides, type Override, overrideOf } from './overrides.ts';
import { configSchema, type SchemaNode } from './schema.ts';
import { checkSource, isSourceField, PLACEHOLDER, registerChecked } from './sources.ts';

const MAX_SIZE_BYTES = 1_000_000;

interface LoadOptions {
  /** Texts behind `--set`, in order. */
  readonly overrides?: readonly string[];
  /** Where paths are registered for the workers. */
  readonly workspace: string;
}

/**
 * Reads, checks and completes a config; paths become ids that the workspace's workers know.
 *
 * @throws ConfigError with every mistake; nothing is registered then.
 */
export async function loadConfig(name: string, options: LoadOptions): Promise<ExperimentConfig> {
  const file = findConfig(name);
  const text = await readFile(file, 'utf8');
  const shown = relative('.', file) || file;
  return await loadConfigText({ text, shown, directory: dirname(file) }, options);
}

interface ConfigText {
  /** YAML. */
  readonly text: string;
  /** What it is called in front of a mistake. */
  readonly shown: string;
  /** What relative paths are relative to. */
  readonly directory: string;
}

/** {@link loadConfig} of a config that a command made. */
export async function loadConfigText(
  { text, shown, directory }: ConfigText,
  { overrides: texts = [], workspace }: LoadOptions,
): Promise<ExperimentConfig> {
  const document = readDocument(text);
  if (document.issues.length > 0) throw new ConfigError(shown, document.issues);

  const schema = configSchema();
  const overridden = applyOverrides(document.value ?? {}, texts);
  const reading: Reading = { document, overrides: overridden.overrides, schema, directory };
  const sources = findSources(overridden.value, reading);
  const issues = [
    ...overridden.issues,
    ...sources.mistakes.map((mistake) => toIssue(mistake, reading)),
    ...findMistakes(overridden.value, sources, reading).map((mistake) => toIssue(mistake, reading)),
  ];
  if (issues.length > 0) throw new ConfigError(shown, issues);
  for (const found of sources.found) {
    setAt(overridden.value, found.path, await registerChecked(workspace, found.source));
  }
  const config = ExperimentConfig.parse(overridden.value);
  if (config.generation.openai !== undefined) {
    await registerEndpoint(workspace, config.generation.openai);
  }
  if (config.evaluation.judge?.kind === 'openai') {
    await registerEndpoint(workspace, config.evaluation.judge);
  }
  return config;
}

/** Names of the configs that ship with the package. */
export function presetNames(): string[] {
  return readdirSync(configDir())
    .filter((entry) => entry.endsWith('.yaml'))
    .map((entry) => entry.slice(0, -'.yaml'.length));
}

/** A path, or the name of a preset. */
function findConfig(name: string): string {
  const place: Place = { in: 'file', line: 1, column: 1 };
  const found = statSync(name, { throwIfNoEntry: false });
  if (found?.isFile() === true && found.size <= MAX_SIZE_BYTES) return resolve(name);
  if (found !== undefined) {
    const what = found.isFile() ? `a file of ${String(found.size)} bytes` : 'a folder';
    throw new ConfigError(name, [{ place, key: '', message: `expected a YAML file, got ${what}` }]);
  }
  const preset = join(configDir(), `${name}.yaml`);
  if (presetNames().includes(name)) return preset;
  const siblings = existsSync(dirname(name)) ? readdirSync(dirname(name)) : [];
  const near = nearestName(name.split('/').at(-1) ?? name, [...siblings, ...presetNames()]);
  const hint =
    near === null ? `The presets are: ${presetNames().join(', ')}.` : `Did you mean "${near}"?`;
  const message = `expected a YAML file or the name of a preset, there is nothing at that path. ${hint}`;
  throw new ConfigError(name, [{ place, key: '', message }]);
}

interface Reading {
  readonly document: ConfigDocument;
  readonly overrides: readonly Override[];
  readonly schema: SchemaNode;
  readonly directory: string;
}

interface Sources {
  readonly found: readonly { path: Path; source: { ref: string } | { path: string } }[];
  readonly mistakes: readonly Mistake[];
}

function findSources(value: unknown, reading: Reading): Sources {
  const found: { path: Path; source: { ref: string } | { path: string } }[] = [];
  const mistakes: Mistake[] = [];
  for (const [path, text] of leaves(value)) {
    if (typeof text !== 'string' || !isSourceField(reading.schema, path)) continue;
    const isSet = overrideOf(reading.overrides, path) !== null;
    const source = checkSource(path, text, isSet ? process.cwd() : reading.directory);
    if ('problem' in source) mistakes.push({ path, target: 'value', message: source.problem });
    else found.push({ path, source });
  }
  return { found, mistakes };
}

function findMistakes(value: unknown, sources: Sources, { schema }: Reading): Mistake[] {
  const draft: unknown = structuredClone(value);
  for (const { path, source } of sources.found) {
    setAt(draft, path, 'ref' in source ? source.ref : PLACEHOLDER);
  }
  // What is wrong about a path was said already.
  for (const { path } of sources.mistakes) setAt(draft, path, PLACEHOLDER);
  const parsed = ExperimentConfig.safeParse(draft);
  const findings = parsed.success ? [] : parsed.error.issues;
  return [...findings, ...crossFieldFindings(draft, findings)].flatMap((finding) =>
    describeFinding(finding, value, schema),
  );
}

function toIssue(mistake: Mistake, { document, overrides }: Reading): ConfigIssue {
  const override = overrideOf(overrides, mistake.path);
  const place: Place =
    override === null
      ? document.locate(mistake.path, mistake.target)
      : { in: 'override', text: override.text, index: override.index };
  return { place, key: dotted(mistake.path), message: mistake.message };
}

function* leaves(value: unknown, path: Path = []): Generator<[Path, unknown]> {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* leaves(item, [...path, index]);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) yield* leaves(item, [...path, key]);
  } else {
    yield [path, value];
  }
}

function setAt(root: unknown, path: Path, value: unknown): void {
  let container = root;
  for (const segment of path.slice(0, -1)) {
    container = (container as Record<string | number, unknown>)[segment]; // the path came from leaves()
  }
  const last = path.at(-1);
  if (last !== undefined) (container as Record<string | number, unknown>)[last] = value; // as above
}
