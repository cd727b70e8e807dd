/**
 * Content-addressed, immutable artifacts. A key says what an artifact is made from; a manifest,
 * written last, proves it complete; a finished artifact is never made again.
 */
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import {
  type ArtifactKind,
  type ArtifactRef,
  Manifest,
  type ManifestFile,
} from '../contract/artifact.ts';
import { canonicalJson, type JsonObject, sha256Hex } from './canonical.ts';
import { hasErrorCode, SticflowError } from './errors.ts';
import { artifactDir, workDir } from './layout.ts';
import { parseJson, readLines } from './lines.ts';
import {
  checkBytes,
  checkSizes,
  damaged,
  filesSha256,
  hashAndSync,
  MANIFEST,
  readManifest,
  refOf,
  syncPath,
} from './manifest.ts';
import { resolveInside } from './paths.ts';

/** Everything the bytes of an artifact depend on. */
export interface BuildSpec {
  readonly kind: ArtifactKind;
  readonly inputs: readonly ArtifactRef[];
  /** The config slice that matters, seeds included. */
  readonly parameters: JsonObject;
  /** Bumped when the code of the stage starts to make other bytes from the same inputs. */
  readonly version: number;
}

/** Errors of every method: SticflowError `ArtifactMissing` or `ArtifactDamaged`. */
export interface Store {
  /** 32 hex digits; pure. */
  key(spec: BuildSpec): string;
  /** The finished artifact of that key, its files' sizes checked; null when there is none. */
  find(kind: ArtifactKind, key: string): Promise<ArtifactRef | null>;
  /**
   * Returns the finished artifact untouched, or lets `make` fill a private folder, returning the
   * number of records, and publishes it. Of two builders at once both get the first one's.
   */
  build(spec: BuildSpec, make: (directory: string) => Promise<number>): Promise<ArtifactRef>;
  /** Publishes a folder of the same workspace by moving it; see {@link Store.build}. */
  publish(spec: BuildSpec, directory: string, numRecords: number): Promise<ArtifactRef>;
  /** Reads every byte of an artifact and compares it with the manifest. */
  verify(ref: ArtifactRef): Promise<Manifest>;
  /** Absolute folder of a finished artifact. */
  directory(ref: ArtifactRef): string;
  readJson<S extends z.ZodType>(ref: ArtifactRef, file: string, schema: S): Promise<z.output<S>>;
  readLines<S extends z.ZodType>(
    ref: ArtifactRef,
    file: string,
    schema: S,
  ): AsyncIterable<z.output<S>>;
  /** A folder for half-done model work; it survives attempts until it is removed. */
  workDirectory(kind: ArtifactKind, key: string): Promise<string>;
  removeWorkDirectory(kind: ArtifactKind, key: string): Promise<void>;
}

/** Opens the store of a workspace; folders are made when something is written. */
export function openStore(workspace: string): Store {
  return new LocalStore(resolve(workspace));
}

interface Header {
  readonly ref: ArtifactRef;
  readonly mtimeMs: number;
  sizesChecked: boolean;
}

class LocalStore implements Store {
  readonly #workspace: string;
  /** What this process has read already: a manifest of a million images is parsed once. */
  readonly #headers = new Map<string, Header>();

  constructor(workspace: string) {
    this.#workspace = workspace;
  }

  key({ kind, inputs, parameters, version }: BuildSpec): string {
    return keyOf(kind, inputs, { ...parameters, stage_version: version });
  }

  async find(kind: ArtifactKind, key: string): Promise<ArtifactRef | null> {
    const directory = artifactDir(this.#workspace, kind, key);
    const header = this.#header(directory);
    if (header === null) return null;
    if (!header.sizesChecked) {
      const manifest = readManifest(directory);
      if (manifest === null) return null;
      await checkSizes(directory, manifest);
      header.sizesChecked = true;
    }
    return header.ref;
  }

  async build(spec: BuildSpec, make: (directory: string) => Promise<number>): Promise<ArtifactRef> {
    const key = this.key(spec);
    const finished = await this.find(spec.kind, key);
    if (finished !== null) return finished;
    const home = dirname(artifactDir(this.#workspace, spec.kind, key));
    const directory = join(home, `${temporaryPrefix(key)}${randomUUID()}`);
    await mkdir(directory, { recursive: true });
    try {
      return await this.publish(spec, directory, await make(directory));
    } catch (error) {
      // The winner of a race sweeps the loser's folder away, which fails the loser's writes.
      const winner = await this.find(spec.kind, key);
      if (winner !== null) return winner;
      throw error;
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  async publish(spec: BuildSpec, directory: string, numRecords: number): Promise<ArtifactRef> {
    const key = this.key(spec);
    const finished = await this.find(spec.kind, key);
    if (finished !== null) return finished;
    const files = await hashAndSync(directory);
    await writeManifest(directory, manifestOf(spec, key, files, numRecords));
    const target = artifactDir(this.#workspace, spec.kind, key);
    await mkdir(dirname(target), { recursive: true });
    try {
      await rename(directory, target);
    } catch (error) {
      if (!hasErrorCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    }
    await syncPath(dirname(target));
    await this.#sweep(dirname(target), key);
    const ref = await this.find(spec.kind, key);
    if (ref === null) throw damaged(target, 'it vanished while it was published');
    return ref;
  }

  async verify(ref: ArtifactRef): Promise<Manifest> {
    const directory = this.directory(ref);
    const manifest = readManifest(directory);
    if (manifest === null) throw missing(ref, directory);
    await checkBytes(directory, manifest);
    if (keyOf(manifest.kind, manifest.inputs, manifest.parameters) !== manifest.key) {
      throw damaged(directory, 'its inputs and parameters do not hash to its key');
    }
    return manifest;
  }

  directory(ref: ArtifactRef): string {
    const directory = artifactDir(this.#workspace, ref.kind, ref.key);
    const header = this.#header(directory);
    if (header === null) throw missing(ref, directory);
    if (header.ref.sha256 !== ref.sha256) {
      throw damaged(directory, `it has the digest ${header.ref.sha256}, expected ${ref.sha256}`);
    }
    return directory;
  }

  async readJson<S extends z.ZodType>(
    ref: ArtifactRef,
    file: string,
    schema: S,
  ): Promise<z.output<S>> {
    const text = await readFile(await this.#file(ref, file), 'utf8');
    return parseJson(text, schema, `${ref.kind}/${ref.key}/${file}`);
  }

  async *readLines<S extends z.ZodType>(
    ref: ArtifactRef,
    file: string,
    schema: S,
  ): AsyncGenerator<z.output<S>, void, undefined> {
    yield* readLines(await this.#file(ref, file), schema);
  }

  async workDirectory(kind: ArtifactKind, key: string): Promise<string> {
    const directory = workDir(this.#workspace, kind, key);
    await mkdir(directory, { recursive: true });
    return directory;
  }

  async removeWorkDirectory(kind: ArtifactKind, key: string): Promise<void> {
    await rm(workDir(this.#workspace, kind, key), { recursive: true, force: true });
  }

  #header(directory: string): Header | null {
    const stat = statSync(join(directory, MANIFEST), { throwIfNoEntry: false });
    if (stat === undefined) return null;
    const known = this.#headers.get(directory);
    if (known !== undefined && known.mtimeMs === stat.mtimeMs) return known;
    const manifest = readManifest(directory);
    if (manifest === null) return null;
    if (directory !== artifactDir(this.#workspace, manifest.kind, manifest.key)) {
      throw damaged(directory, `its manifest is of ${manifest.kind}/${manifest.key}`);
    }
    const header = { ref: refOf(manifest), mtimeMs: stat.mtimeMs, sizesChecked: false };
    this.#headers.set(directory, header);
    return header;
  }

  async #file(ref: ArtifactRef, file: string): Promise<string> {
    const directory = this.directory(ref);
    const resolved = await resolveInside(directory, file);
    if (resolved.outcome === 'found') return resolved.path;
    throw damaged(directory, `${file} is ${resolved.outcome.replace('_', ' ')}`);
  }

  /** Removes what builders of a now finished artifact left behind, by crash or by losing. */
  async #sweep(home: string, key: string): Promise<void> {
    for (const name of await readdir(home)) {
      if (name.startsWith(temporaryPrefix(key))) {
        await rm(join(home, name), { recursive: true, force: true, maxRetries: 3 });
      }
    }
  }
}

function temporaryPrefix(key: string): string {
  return `.tmp-${key}-`;
}

/** Inputs count by their bytes, not by how they came to be. */
function keyOf(
  kind: ArtifactKind,
  inputs: readonly ArtifactRef[],
  parameters: Manifest['parameters'] | JsonObject,
): string {
  const content = inputs.map((input) => ({ kind: input.kind, sha256: input.sha256 }));
  return sha256Hex(canonicalJson({ kind, inputs: content, parameters })).slice(0, 32);
}

function manifestOf(
  spec: BuildSpec,
  key: string,
  files: ManifestFile[],
  numRecords: number,
): Manifest {
  return Manifest.parse({
    schema_version: 1,
    kind: spec.kind,
    key,
    sha256: filesSha256(files),
    num_records: numRecords,
    inputs: spec.inputs,
    parameters: { ...spec.parameters, stage_version: spec.version },
    files,
  });
}

/** Last of all files, and on the disk before the folder gets its name. */
async function writeManifest(directory: string, manifest: Manifest): Promise<void> {
  const path = join(directory, MANIFEST);
  await writeFile(path, `${canonicalJson(manifest)}\n`);
  await syncPath(path);
  await syncPath(directory);
}

function missing(ref: ArtifactRef, directory: string): SticflowError {
  return new SticflowError(
    'ArtifactMissing',
    `Expected the artifact ${ref.kind}/${ref.key} in ${directory}, there is none. Workers of one run must share one workspace.`,
  );
}
