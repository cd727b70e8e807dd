/**
 * Finds the files that an image source names: a folder, a glob, or a list (JSON, JSONL, TXT). Opens
 * no image but for the first bytes of files whose name does not say what they are. Nothing outside
 * the folder (of a list: the list's folder) is ever returned.
 */
import type { Stats } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { QuarantineRecord } from '../contract/records.ts';
import { hasErrorCode, SticflowError } from '../store/errors.ts';
import { resolveInside } from '../store/paths.ts';
import { parseGlob } from './glob.ts';
import { hasImageExtension, SIGNATURE_BYTES, signatureOf } from './image-format.ts';
import { readImageNames } from './image-names.ts';
import { leftOut } from './quarantine.ts';

export interface ImageCandidate {
  /** Below the folder, or as the list names it. */
  readonly source_name: string;
  /** Absolute, without links. */
  readonly path: string;
}

/** An image whose bytes come from somewhere else than a file of its own, such as a cell of a table. */
export interface ReadableImage {
  readonly source_name: string;
  readonly read: () => Promise<Uint8Array>;
}

export interface ImageListing<C = ImageCandidate> {
  /** Folder and glob: sorted by code unit. List: in its order. */
  readonly candidates: readonly C[];
  readonly quarantined: readonly QuarantineRecord[];
  /** Files of a folder that neither look like images nor call themselves so. */
  readonly num_ignored: number;
}

/**
 * Lists what `path` names.
 *
 * @throws SticflowError `SourceNotFound` when nothing is there, `DataInvalid` when a list does not parse.
 */
export async function listImageSource(path: string): Promise<ImageListing> {
  const found = await statOrNull(path);
  if (found?.isDirectory() === true) {
    return listFolder({ folder: path, depth: Number.POSITIVE_INFINITY, matches: () => true });
  }
  if (found !== null) return listNames(dirname(path), readImageNames(path));
  const glob = parseGlob(path);
  if (glob !== null) return listFolder(glob);
  throw new SticflowError(
    'SourceNotFound',
    `Expected images.source to be a folder, a glob or a list of names, there is nothing at ${path}.`,
  );
}

/** Finds images by name below a folder; what is not there or lies outside is quarantined. */
export async function listNames(
  root: string,
  names: Iterable<string | QuarantineRecord> | AsyncIterable<string | QuarantineRecord>,
): Promise<ImageListing> {
  const candidates: ImageCandidate[] = [];
  const quarantined: QuarantineRecord[] = [];
  for await (const name of names) {
    const found = typeof name === 'string' ? await findNamed(root, name) : name;
    if ('path' in found) candidates.push(found);
    else quarantined.push(found);
  }
  return { candidates, quarantined, num_ignored: 0 };
}

/** Finds one image by name below a folder. */
export async function findNamed(
  root: string,
  name: string,
): Promise<ImageCandidate | QuarantineRecord> {
  const resolved = await resolveInside(root, name);
  if (resolved.outcome !== 'found') {
    return resolved.outcome === 'outside_root'
      ? leftOut(name, 'outside_root', 'it leads out of the folder that names are relative to')
      : leftOut(name, 'missing', await explainMissing(root, name));
  }
  const file = await statOrNull(resolved.path);
  if (file === null) return leftOut(name, 'missing', 'it vanished while it was looked up');
  if (file.isFile()) return { source_name: name, path: resolved.path };
  return leftOut(
    name,
    'not_a_file',
    file.isDirectory()
      ? 'a folder with the name of an image; what is in it was not read'
      : 'neither a file nor a folder',
  );
}

/** Names that look equal may differ in their Unicode normal form, which no eye can see. */
async function explainMissing(root: string, name: string): Promise<string> {
  for (const form of ['NFC', 'NFD'] as const) {
    const other = name.normalize(form);
    if (other !== name && (await resolveInside(root, other)).outcome === 'found') {
      return `there is no such file, but one whose name has the Unicode form ${form}`;
    }
  }
  return 'there is no such file';
}

interface Folder {
  readonly folder: string;
  readonly depth: number;
  readonly matches: (name: string) => boolean;
}

interface Found {
  readonly candidates: ImageCandidate[];
  readonly quarantined: QuarantineRecord[];
  num_ignored: number;
}

async function listFolder(folder: Folder): Promise<ImageListing> {
  const found: Found = { candidates: [], quarantined: [], num_ignored: 0 };
  await visit(folder, '', found);
  // Folders are visited before they are sorted: "a.png" comes before "a/b.png" by code unit.
  found.candidates.sort(bySourceName);
  found.quarantined.sort(bySourceName);
  return found;
}

type Named = Pick<ImageCandidate, 'source_name'>;
const bySourceName = (a: Named, b: Named): number => (a.source_name < b.source_name ? -1 : 1);

async function visit(folder: Folder, below: string, found: Found): Promise<void> {
  for (const entry of await readdir(join(folder.folder, below), { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory() && !hasImageExtension(name)) {
      if (name.split('/').length <= folder.depth) await visit(folder, name, found);
    } else if (folder.matches(name)) {
      await visitNamed(folder, name, found);
    }
  }
}

async function visitNamed({ folder }: Folder, name: string, found: Found): Promise<void> {
  const file = await findNamed(folder, name);
  if ('path' in file) {
    if (hasImageExtension(name) || (await looksLikeImage(file.path))) found.candidates.push(file);
    else found.num_ignored += 1;
  } else if (hasImageExtension(name) || file.reason === 'outside_root') {
    // A link that leads out may be a whole folder of images: it is not passed over without a word.
    found.quarantined.push(file);
  } else {
    found.num_ignored += 1;
  }
}

/** A file that may not be read counts as an image, so that it is reported and not passed over. */
async function looksLikeImage(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(SIGNATURE_BYTES) });
      return signatureOf(buffer.subarray(0, bytesRead)).kind !== 'unknown';
    } finally {
      await file.close();
    }
  } catch (error) {
    if (hasErrorCode(error, 'EACCES', 'EPERM')) return true;
    throw error;
  }
}

async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP')) return null;
    throw error;
  }
}
