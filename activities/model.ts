/**
 * `resolveModel`: a checkpoint becomes a `model` artifact, the hashes of its files. Weights stay where
 * they are; a note in the workspace says where that is.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asyncLocalStorage } from '@temporalio/activity';
import { z } from 'zod';
import { ResolveModelInput, type ResolveModelOutput } from '../contract/activities.ts';
import { PROTOCOL_VERSION } from '../contract/api.ts';
import { type ArtifactRef, ManifestFile } from '../contract/artifact.ts';
import { RunConfig } from '../contract/run-config.ts';
import { canonicalJson } from '../store/canonical.ts';
import { hasErrorCode, SticflowError } from '../store/errors.ts';
import { hubModelDir, modelLocationFile } from '../store/layout.ts';
import { resolveSource } from '../store/sources.ts';
import type { BuildSpec } from '../store/store.ts';
import type { ActivityDependencies } from './context.ts';
import { withProgress } from './progress.ts';

const STAGE_VERSION = 1;
/** Files that loading reads; whatever else lies in the folder is not part of the model. */
const PARTS = /\.(?:safetensors|json|txt|model|jinja)$/;
/** Hashing a large checkpoint from a slow disk; the model process itself only reads configurations. */
const INSPECT_TIMEOUT_MS = 120_000;

/** `model.json` of a model artifact: no path, so that the same weights are the same artifact. */
const ModelFiles = z.strictObject({ files: z.array(ManifestFile) });

/** Where a snapshot lies on this worker, with what tells whether it was touched. */
const ModelLocation = z.strictObject({
  folder: z.string(),
  files: z.array(z.strictObject({ name: z.string(), size_bytes: z.int(), mtime_ms: z.number() })),
});

export function modelActivities(deps: ActivityDependencies): {
  resolveModel(
    input: z.infer<typeof ResolveModelInput>,
  ): Promise<z.infer<typeof ResolveModelOutput>>;
} {
  return {
    async resolveModel(input) {
      const { config } = ResolveModelInput.parse(input);
      const { source } = (await deps.store.readJson(config, 'config.json', RunConfig)).config.model;
      const folder = await fetchedFolder(deps, source);
      const architecture = await inspect(deps, folder);
      return { model: await hashModel(deps, folder), architecture };
    },
  };
}

/**
 * The folder of a model artifact on this worker.
 *
 * @throws SticflowError `ModelInvalid` when the files are not those that were hashed.
 */
export async function modelFolder(
  { store, workspace }: Pick<ActivityDependencies, 'store' | 'workspace'>,
  source: string,
  model: ArtifactRef,
): Promise<string> {
  const location = await readLocation(workspace, model);
  if (location !== null && (await isUntouched(location))) return location.folder;
  const folder = source.startsWith('hub:')
    ? hubFolder(workspace, source)
    : await resolveSource(workspace, source);
  const found = await hashFiles(folder);
  const { files } = await store.readJson(model, 'model.json', ModelFiles);
  if (canonicalJson({ files: found }) !== canonicalJson({ files })) {
    throw new SticflowError(
      'ModelInvalid',
      `Expected the files of the model at ${folder} to be those that the run started with, but they have changed. Put the old files back, or start a new run.`,
    );
  }
  await writeLocation(workspace, model, folder, found);
  return folder;
}

async function fetchedFolder(deps: ActivityDependencies, source: string): Promise<string> {
  if (!source.startsWith('hub:')) return await resolveSource(deps.workspace, source);
  const destination = hubFolder(deps.workspace, source);
  const { repository, revision } = hubParts(source);
  await mkdir(destination, { recursive: true });
  await ask(deps, {
    protocol_version: PROTOCOL_VERSION,
    request_id: source,
    command: 'download_model',
    repository,
    revision,
    destination,
  });
  return destination;
}

async function inspect(deps: ActivityDependencies, path: string): Promise<string> {
  const { summary } = await ask(deps, {
    protocol_version: PROTOCOL_VERSION,
    request_id: 'inspect',
    command: 'inspect_model',
    path,
  });
  return z.string().parse(summary['architecture']);
}

async function ask(
  { modelProcesses }: ActivityDependencies,
  request: Parameters<ActivityDependencies['modelProcesses']['run']>[0],
): ReturnType<ActivityDependencies['modelProcesses']['run']> {
  const signal = asyncLocalStorage.getStore()?.cancellationSignal ?? new AbortController().signal;
  return await withProgress(async (progress) => {
    progress.phase(request.command, 0);
    const onMessage = (): undefined => undefined;
    return await modelProcesses.run(request, {
      signal,
      onMessage,
      stallTimeoutMs: INSPECT_TIMEOUT_MS,
    });
  });
}

async function hashModel(
  { store, workspace }: ActivityDependencies,
  folder: string,
): Promise<ArtifactRef> {
  const files = await withProgress(async (progress) => {
    progress.phase('hashing', 0);
    return await hashFiles(folder);
  });
  const spec: BuildSpec = {
    kind: 'model',
    inputs: [],
    parameters: { files: files.map(({ name, sha256 }) => ({ name, sha256 })) },
    version: STAGE_VERSION,
  };
  const ref = await store.build(spec, async (directory) => {
    await writeFile(join(directory, 'model.json'), `${canonicalJson({ files })}\n`);
    return files.length;
  });
  await writeLocation(workspace, ref, folder, files);
  return ref;
}

async function hashFiles(folder: string): Promise<ManifestFile[]> {
  const names = (await readdir(folder)).filter((name) => PARTS.test(name)).sort();
  return await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const hash = createHash('sha256');
      for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer); // no encoding is set
      return { name, size_bytes: (await stat(path)).size, sha256: hash.digest('hex') };
    }),
  );
}

async function readLocation(
  workspace: string,
  model: ArtifactRef,
): Promise<z.infer<typeof ModelLocation> | null> {
  try {
    const text = await readFile(modelLocationFile(workspace, model.sha256), 'utf8');
    return ModelLocation.parse(JSON.parse(text));
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** Size and time of change stand for the bytes: hashing 15 GB before every shard would cost minutes. */
async function isUntouched({ folder, files }: z.infer<typeof ModelLocation>): Promise<boolean> {
  const checks = files.map(async ({ name, size_bytes, mtime_ms }) => {
    try {
      const { size, mtimeMs } = await stat(join(folder, name));
      return size === size_bytes && mtimeMs === mtime_ms;
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return false;
      throw error;
    }
  });
  return (await Promise.all(checks)).every(Boolean);
}

async function writeLocation(
  workspace: string,
  model: ArtifactRef,
  folder: string,
  files: readonly ManifestFile[],
): Promise<void> {
  const noted = await Promise.all(
    files.map(async ({ name, size_bytes }) => ({
      name,
      size_bytes,
      mtime_ms: (await stat(join(folder, name))).mtimeMs,
    })),
  );
  const path = modelLocationFile(workspace, model.sha256);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${canonicalJson({ folder, files: noted })}\n`);
}

function hubFolder(workspace: string, source: string): string {
  const { repository, revision } = hubParts(source);
  return hubModelDir(workspace, repository, revision);
}

function hubParts(source: string): { repository: string; revision: string } {
  const [repository = '', revision = ''] = source.slice('hub:'.length).split('@');
  return { repository, revision };
}
