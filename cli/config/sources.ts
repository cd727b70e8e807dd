/**
 * Paths of a config: checked here, where the person is, and sent to the workers as ids only. A
 * relative path is relative to the YAML file, or to the current directory behind `--set`.
 */
import { existsSync, readdirSync, type Stats, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { builtinNames, registerSource } from '../../store/sources.ts';
import type { Path } from './document.ts';
import { nearestName } from './nearest.ts';
import { nodeAt, type SchemaNode, SOURCE_FORMAT, withoutNull } from './schema.ts';

/** What a field needs to find at its path. */
type Target = 'model' | 'images' | 'file' | 'folder' | 'secret' | 'environment';

/** By dotted key, `*` for list items. A test holds it equal to the contract's source fields. */
export const SOURCE_FIELDS: Readonly<Record<string, Target>> = {
  'model.source': 'model',
  'model.adapter': 'folder',
  'images.source': 'images',
  prompts: 'file',
  'generation.openai.api_key': 'secret',
  'generation.vllm.environment': 'environment',
  'infusion.instructions': 'file',
  'infusion.image_root': 'folder',
  'evaluation.sets.*.data': 'folder',
  'evaluation.sets.*.questions': 'file',
  'evaluation.sets.*.truth': 'file',
  'evaluation.sets.*.image_root': 'folder',
  'evaluation.judge.api_key': 'secret',
  'evaluation.judge.checkpoint': 'folder',
  'evaluation.judge.recordings.llavabench.*': 'file',
  'evaluation.judge.recordings.mmvet.*': 'file',
  'evaluation.judge.recordings.mathvista.*': 'file',
  'evaluation.judge.recordings.mmbench.*': 'file',
};

/** Stands for a path that is there until the whole config is known to be right. */
export const PLACEHOLDER = `source:${'0'.repeat(32)}`;

const REFERENCE = /^(?:builtin|source|hub):/;
const GLOB = /[*?[\]{}]/;

export type CheckedSource =
  | { readonly ref: string }
  | { readonly path: string }
  | { readonly problem: string };

/** True for a field that takes a path. */
export function isSourceField(schema: SchemaNode, path: Path): boolean {
  const node = nodeAt(schema, path);
  return node !== null && withoutNull(node).format === SOURCE_FORMAT;
}

/** Looks at the text of a path field; `directory` is what a relative path is relative to. */
export function checkSource(path: Path, text: string, directory: string): CheckedSource {
  const key = path.map((segment) => (typeof segment === 'number' ? '*' : segment)).join('.');
  const target = SOURCE_FIELDS[key] ?? 'file';
  if (text.trim() === '') return { problem: `expected ${describeTarget(target)}, got nothing` };
  if (target === 'secret') return checkSecret(text, directory);
  if (REFERENCE.test(text)) return checkReference(text, target);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    return {
      problem: `expected ${describeTarget(target)}, got the address "${text}". Nothing is fetched in a run: download it and give the path.`,
    };
  }
  return checkPath(absolute(text, directory), text, target);
}

function absolute(text: string, directory: string): string {
  const home = text === '~' || text.startsWith('~/') ? join(homedir(), text.slice(1)) : text;
  return resolve(directory, home);
}

/** Never repeats what was written: it may be the key itself. */
function checkSecret(text: string, directory: string): CheckedSource {
  if (/^env:[A-Za-z_][A-Za-z0-9_]{0,99}$/.test(text) || text.startsWith('source:')) {
    return { ref: text };
  }
  if (text.startsWith('file:')) {
    const path = text.slice('file:'.length);
    return checkPath(absolute(path, directory), path, 'secret');
  }
  return {
    problem: `expected ${describeTarget('secret')}, got something else. A key itself must not stand in a config: put it into an environment variable of the workers or a file.`,
  };
}

/** Makes a checked path known to the workers of the workspace. */
export async function registerChecked(
  workspace: string,
  source: Exclude<CheckedSource, { problem: string }>,
): Promise<string> {
  return 'ref' in source ? source.ref : await registerSource(workspace, source.path);
}

function checkReference(text: string, target: Target): CheckedSource {
  if (text.startsWith('builtin:') && !builtinNames().includes(text)) {
    const near = nearestName(text, builtinNames());
    const hint =
      near === null ? `Built in are: ${builtinNames().join(', ')}.` : `Did you mean ${near}?`;
    return { problem: `expected something built in, got "${text}". ${hint}` };
  }
  if (text.startsWith('hub:') && target !== 'model') {
    return {
      problem: `expected ${describeTarget(target)}, got "${text}". Only model.source may name a hub.`,
    };
  }
  if (text.startsWith('hub:') && !/@[0-9a-f]{40}$/.test(text)) {
    return {
      problem: `expected hub:<owner>/<name>@<commit> with a commit of 40 hex digits, got "${text}". A branch can change under a run; copy the commit from the model's page of files and versions.`,
    };
  }
  return { ref: text };
}

function checkPath(path: string, text: string, target: Target): CheckedSource {
  const found = lookAt(path);
  if (found === null) {
    if (target === 'images' && GLOB.test(text) && existsSync(fixedPart(path))) return { path };
    return { problem: describeMissing(path, text, target) };
  }
  const problem = mismatch(path, text, found, target);
  return problem === null ? { path } : { problem };
}

function mismatch(path: string, text: string, found: Stats, target: Target): string | null {
  const expected = describeTarget(target);
  switch (target) {
    case 'folder':
      return found.isDirectory() ? null : `expected ${expected}, got the file "${text}"`;
    case 'file':
      return found.isFile() ? null : `expected ${expected}, got the folder "${text}"`;
    case 'secret':
      return found.isFile() ? null : `expected ${expected}, got the folder "${text}"`;
    case 'environment':
      return existsSync(join(path, 'bin', 'vllm'))
        ? null
        : `expected ${expected}, got "${text}" without a bin/vllm in it. Make one with: python -m venv PATH && PATH/bin/pip install vllm`;
    case 'images':
      return found.isDirectory() || /\.jsonl?$/i.test(path)
        ? null
        : `expected ${expected}, got the file "${text}". Give the folder it is in.`;
    case 'model':
      if (!found.isDirectory()) return `expected ${expected}, got the file "${text}"`;
      return existsSync(join(path, 'config.json'))
        ? null
        : `expected ${expected}, got "${text}" without a config.json in it. Give the folder that holds config.json and the .safetensors files.`;
  }
}

function describeTarget(target: Target): string {
  switch (target) {
    case 'model':
      return 'a checkpoint folder or hub:<owner>/<name>@<commit>';
    case 'images':
      return 'a folder, a glob or a .json/.jsonl list of images';
    case 'file':
      return 'a file';
    case 'folder':
      return 'a folder';
    case 'secret':
      return 'env:NAME or file:PATH';
    case 'environment':
      return 'the folder of a Python environment with vLLM';
  }
}

function describeMissing(path: string, text: string, target: Target): string {
  const sentence = `expected ${describeTarget(target)}, there is nothing at "${text}" (${path})`;
  if (target === 'model' && /^[\w.-]+\/[\w.-]+$/.test(text)) {
    return `${sentence}. For a model of the hub write hub:${text}@<commit>.`;
  }
  const near = nearestName(basename(path), entriesOf(dirname(path)));
  return near === null
    ? `${sentence}. Correct the path.`
    : `${sentence}. Did you mean "${join(dirname(text), near)}"?`;
}

function fixedPart(path: string): string {
  const wildcard = path.search(GLOB);
  return wildcard === -1 ? path : path.slice(0, path.lastIndexOf('/', wildcard) + 1);
}

function lookAt(path: string): Stats | null {
  return statSync(path, { throwIfNoEntry: false }) ?? null;
}

function entriesOf(folder: string): string[] {
  return lookAt(folder)?.isDirectory() ? readdirSync(folder).slice(0, 1000) : [];
}
