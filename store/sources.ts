/**
 * Inputs outside the store. A person writes paths, workflows carry ids: the CLI registers a path
 * here, and a worker opens what is registered and nothing else.
 */
import { randomUUID } from 'node:crypto';
import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import { z } from 'zod';
import type { ModelSource, SourceRef } from '../contract/source.ts';
import { canonicalJson, sha256Hex } from './canonical.ts';
import { hasErrorCode, SticflowError } from './errors.ts';
import { configDir, pythonDir, scenesDir, sourcesDir } from './layout.ts';
import { parseJson } from './lines.ts';

const RegisteredSource = z.strictObject({ path: z.string() });

/** Files of the embedded world, as `builtin:scenes/<name>`. */
const SCENES = [
  'images',
  'images/unlabelled',
  'instructions.json',
  'questions-dev.jsonl',
  'questions-test.jsonl',
  'truth-dev.jsonl',
  'truth-test.jsonl',
] as const;

const GLOB = /[*?[\]{}]/;

/**
 * Makes an absolute path known to the workers of a workspace; the same path has the same id.
 *
 * @throws SticflowError `SourceNotFound` when nothing is there (of a glob: at the part before its
 * first wildcard).
 */
export async function registerSource(workspace: string, absolutePath: string): Promise<SourceRef> {
  if (!isAbsolute(absolutePath)) {
    throw new RangeError(`Expected an absolute path, got "${absolutePath}"`);
  }
  const path = normalize(absolutePath);
  await requireThere(path, `"${path}"`);
  const id = sha256Hex(canonicalJson(['source', path])).slice(0, 32);
  const directory = sourcesDir(workspace);
  await mkdir(directory, { recursive: true });
  const temporary = join(directory, `.tmp-${randomUUID()}`);
  await writeFile(
    temporary,
    `${canonicalJson({ path } satisfies z.infer<typeof RegisteredSource>)}\n`,
  );
  await rename(temporary, join(directory, `${id}.json`));
  return `source:${id}`;
}

/**
 * The absolute path (or glob) behind a reference; `hub:` models are not on this disk and refused.
 *
 * @throws SticflowError `SourceNotFound` when it is not registered or nothing is there.
 */
export async function resolveSource(workspace: string, ref: ModelSource): Promise<string> {
  const [scheme, name = ''] = ref.split(/:(.*)/s);
  const path =
    scheme === 'source' ? await registeredPath(workspace, ref, name) : builtinPath(workspace, name);
  if (path === null) {
    throw new SticflowError(
      'SourceNotFound',
      `Expected a known source, got "${ref}". Built in are: ${builtinNames().join(', ')}.`,
    );
  }
  await requireThere(path, `${ref} (${path})`);
  return path;
}

async function registeredPath(workspace: string, ref: string, id: string): Promise<string> {
  const file = join(sourcesDir(workspace), `${id}.json`);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (!hasErrorCode(cause, 'ENOENT')) throw cause;
    throw new SticflowError(
      'SourceNotFound',
      `${ref} is not registered in the workspace ${workspace}. Start the run with the CLI on that workspace.`,
      { cause },
    );
  }
  return parseJson(text, RegisteredSource, file).path;
}

function builtinPath(workspace: string, name: string): string | null {
  if (name === 'scenes/model') return join(pythonDir(), 'sticflow_ml', 'scenes', 'model');
  if (name === 'prompts/stic') return join(configDir(), 'prompts', 'stic.yaml');
  const file = SCENES.find((known) => `scenes/${known}` === name);
  return file === undefined ? null : join(scenesDir(workspace), file);
}

/** Every `builtin:` reference there is. */
export function builtinNames(): string[] {
  return ['scenes/model', 'prompts/stic', ...SCENES.map((name) => `scenes/${name}`)].map(
    (name) => `builtin:${name}`,
  );
}

async function requireThere(path: string, name: string): Promise<void> {
  const wildcard = path.search(GLOB);
  const fixed = wildcard === -1 ? path : path.slice(0, path.lastIndexOf('/', wildcard) + 1);
  try {
    await access(fixed);
  } catch (cause) {
    // A file may have brackets in its name: then the whole path is there.
    if (wildcard !== -1 && (await isThere(path))) return;
    throw new SticflowError(
      'SourceNotFound',
      `Expected a file or folder at ${name}, there is none.`,
      {
        cause,
      },
    );
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
