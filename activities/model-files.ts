/**
 * The files that make up a checkpoint and their hashes. Weights stay where they are: hashing 15 GB
 * takes minutes, so a file is hashed once and then known by its size and its time of change.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { ManifestFile } from '../contract/artifact.ts';
import { canonicalJson } from '../store/canonical.ts';
import { hasErrorCode, SticflowError } from '../store/errors.ts';
import { parseJson } from '../store/lines.ts';
import { hashFile } from '../store/manifest.ts';

/** Files that loading reads; whatever else lies in the folder is not part of the model. */
const PARTS = /\.(?:safetensors|json|txt|model|jinja)$/;

const KnownFile = ManifestFile.extend({
  // The kernel sets it at every change of content or attributes; nobody can set it back.
  ctime_ms: z.number(),
});
const KnownFiles = z.strictObject({ files: z.array(KnownFile) });
type KnownFile = z.infer<typeof KnownFile>;

/**
 * The files of a checkpoint, sorted by name.
 *
 * @param knownFile where the hashes are kept between calls.
 * @param onBytes hears of each file that had to be read.
 */
export async function modelFiles(
  folder: string,
  knownFile: string,
  onBytes: (bytes: number) => void,
): Promise<ManifestFile[]> {
  const known = new Map((await readKnown(knownFile)).map((file) => [file.name, file]));
  const found: KnownFile[] = [];
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name);
    const { size, ctimeMs, isFile } = await lookAt(path);
    if (!isFile || name.startsWith('.') || !PARTS.test(name)) continue;
    const before = known.get(name);
    if (before?.size_bytes === size && before.ctime_ms === ctimeMs) {
      found.push(before);
      continue;
    }
    found.push({ name, ...(await hashFile(path)), ctime_ms: ctimeMs });
    onBytes(size);
  }
  if (canonicalJson(found) !== canonicalJson([...known.values()])) {
    await writeKnown(knownFile, found);
  }
  return found.map(({ ctime_ms: _ctimeMs, ...file }) => file);
}

/**
 * Checks that a folder holds all weights it speaks of.
 *
 * @throws SticflowError `ModelInvalid` naming what is missing.
 */
export async function requireWholeCheckpoint(folder: string): Promise<void> {
  const missing = await missingPart(folder);
  if (missing === null) return;
  throw new SticflowError(
    'ModelInvalid',
    `Expected a checkpoint in the format of transformers at ${folder}, but ${missing} is not there. Put all files of the checkpoint into that folder.`,
  );
}

/** Name of a part that is not there; null when nothing is missing. */
export async function missingPart(folder: string): Promise<string | null> {
  let names: Set<string>;
  try {
    names = new Set(await readdir(folder));
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ENOTDIR')) return 'config.json';
    throw error;
  }
  if (!names.has('config.json')) return 'config.json';
  const index = 'model.safetensors.index.json';
  if (!names.has(index)) {
    return [...names].some((name) => name.endsWith('.safetensors')) ? null : 'model.safetensors';
  }
  const text = await readFile(join(folder, index), 'utf8');
  const Index = z.looseObject({ weight_map: z.record(z.string(), z.string()) });
  const { weight_map } = parseJson(text, Index, index);
  return Object.values(weight_map).find((name) => !names.has(name)) ?? null;
}

/** Follows links: a snapshot in the hub's cache is a folder of links. */
async function lookAt(path: string): Promise<{ size: number; ctimeMs: number; isFile: boolean }> {
  const found = await stat(path);
  return { size: found.size, ctimeMs: found.ctimeMs, isFile: found.isFile() };
}

async function readKnown(path: string): Promise<KnownFile[]> {
  try {
    return parseJson(await readFile(path, 'utf8'), KnownFiles, path).files;
  } catch (error) {
    // A note that is missing or of another version only costs hashing again.
    if (hasErrorCode(error, 'ENOENT')) return [];
    if (error instanceof SticflowError) return [];
    throw error;
  }
}

async function writeKnown(path: string, files: readonly KnownFile[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomUUID()}.tmp`;
  await writeFile(temporary, `${canonicalJson({ files })}\n`);
  await rename(temporary, path);
}
