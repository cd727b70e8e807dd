/** What a folder of files hashes to, and the check of a folder against its manifest. */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArtifactRef, Manifest, type ManifestFile } from '../contract/artifact.ts';
import { canonicalJson, sha256Hex } from './canonical.ts';
import { hasErrorCode, SticflowError } from './errors.ts';
import { parseJson } from './lines.ts';

export const MANIFEST = 'manifest.json';

/** Digest of an artifact: over the names, sizes and sha256s of its files, sorted by name. */
export function filesSha256(files: readonly ManifestFile[]): string {
  return sha256Hex(canonicalJson(files));
}

/**
 * Names of all files below a folder, with forward slashes, sorted by code unit.
 *
 * @throws SticflowError `DataInvalid` on anything that is neither file nor folder: a link's bytes
 * may change behind the artifact's back.
 */
export async function listFiles(directory: string): Promise<string[]> {
  const names: string[] = [];
  const visit = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(directory, below), { withFileTypes: true })) {
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) await visit(name);
      else if (entry.isFile()) names.push(name);
      else {
        throw new SticflowError(
          'DataInvalid',
          `Expected only files and folders in ${directory}, got a link or device: ${name}`,
        );
      }
    }
  };
  await visit('');
  return names.sort((a, b) => (a < b ? -1 : 1));
}

/** Hashes every file of a folder but its manifest, and flushes each to the disk. */
export async function hashAndSync(directory: string): Promise<ManifestFile[]> {
  const files: ManifestFile[] = [];
  for (const name of await listFiles(directory)) {
    if (name === MANIFEST) continue;
    const path = join(directory, name);
    await syncPath(path);
    files.push({ name, ...(await hashFile(path)) });
  }
  return files;
}

/** Size and sha256 of one file, read in a stream. */
export async function hashFile(path: string): Promise<Omit<ManifestFile, 'name'>> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    // A stream without an encoding yields buffers; its type says `any`.
    const bytes = chunk as Buffer;
    sizeBytes += bytes.length;
    hash.update(bytes);
  }
  return { size_bytes: sizeBytes, sha256: hash.digest('hex') };
}

/** Flushes a file, or the entries of a folder, to the disk. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The manifest of an artifact folder; null when the folder holds none. */
export function readManifest(directory: string): Manifest | null {
  let text: string;
  try {
    text = readFileSync(join(directory, MANIFEST), 'utf8');
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw error;
  }
  try {
    return parseJson(text, Manifest, MANIFEST);
  } catch (cause) {
    throw damaged(directory, 'its manifest does not parse', cause);
  }
}

/** Compares names and sizes only: cheap, finds truncation and missing files. */
export async function checkSizes(directory: string, manifest: Manifest): Promise<void> {
  for (const { name, size_bytes } of manifest.files) {
    const size = await sizeOf(join(directory, name));
    if (size === null) throw damaged(directory, `${name} is missing`);
    if (size !== size_bytes) {
      throw damaged(directory, `${name} has ${size} bytes instead of ${size_bytes}`);
    }
  }
}

/** Compares every byte, and that there is no file the manifest does not know. */
export async function checkBytes(directory: string, manifest: Manifest): Promise<void> {
  await checkSizes(directory, manifest);
  const known = new Set(manifest.files.map((file) => file.name));
  const stranger = (await listFiles(directory)).find(
    (name) => name !== MANIFEST && !known.has(name),
  );
  if (stranger !== undefined) throw damaged(directory, `${stranger} is not in its manifest`);
  for (const file of manifest.files) {
    const { sha256 } = await hashFile(join(directory, file.name));
    if (sha256 !== file.sha256) throw damaged(directory, `${file.name} has other bytes`);
  }
  if (filesSha256(manifest.files) !== manifest.sha256) {
    throw damaged(directory, 'its manifest does not hash to the digest it states');
  }
}

export function refOf({ kind, key, sha256, num_records }: Manifest): ArtifactRef {
  return { kind, key, sha256, num_records };
}

export function damaged(directory: string, what: string, cause?: unknown): SticflowError {
  return new SticflowError(
    'ArtifactDamaged',
    `The artifact in ${directory} is damaged: ${what}. Remove that folder and run again; it is made anew with the same bytes.`,
    { cause },
  );
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    const stat = await lstat(path);
    return stat.isFile() ? stat.size : null;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw error;
  }
}
