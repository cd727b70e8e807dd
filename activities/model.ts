/**
 * `resolveModel`: a checkpoint becomes a `model` artifact, the hashes of its files. Weights stay where
 * they are; every worker finds them again from the source that the config names.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Activities, ResolveModelInput } from '../contract/activities.ts';
import { PROTOCOL_VERSION } from '../contract/api.ts';
import { type ArtifactRef, ManifestFile } from '../contract/artifact.ts';
import type { ExperimentConfig, ModelConfig } from '../contract/config.ts';
import type { ModelSource } from '../contract/source.ts';
import { canonicalJson } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import { hubModelDir, modelFilesFile } from '../store/layout.ts';
import { resolveSource } from '../store/sources.ts';
import { adapterOf } from './adapter.ts';
import type { ActivityDependencies } from './context.ts';
import { missingPart, modelFiles, requireWholeCheckpoint } from './model-files.ts';
import { runModelRequest } from './model-request.ts';
import { readRunConfig } from './prepare-run.ts';
import { withProgress } from './progress.ts';

const STAGE_VERSION = 1;
/** Importing transformers from a cold, slow disk; the weights are not read. */
const INSPECT_STALL_MS = 120_000;
/** A large checkpoint over a slow line: the library has timeouts of its own for a dead one. */
const DOWNLOAD_STALL_MS = 12 * 3600 * 1000;

/** `model.json` of a model artifact: no path, so that the same weights are the same artifact. */
export const ModelArtifact = z.strictObject({
  architecture: z.string(),
  files: z.array(ManifestFile),
});

export function modelActivities(deps: ActivityDependencies): Pick<Activities, 'resolveModel'> {
  return {
    async resolveModel(input) {
      const { config: ref, of } = ResolveModelInput.parse(input);
      const { config } = await readRunConfig(deps.store, ref);
      const named = of === 'judge' ? modelOfJudge(config) : config.model;
      const folder = await fetchedFolder(deps, named.source);
      await requireWholeCheckpoint(folder);
      const files = await hashedFiles(deps, named.source, folder);
      const spec = {
        kind: 'model' as const,
        inputs: [],
        parameters: { files: files.map(({ name, sha256 }) => ({ name, sha256 })) },
        version: STAGE_VERSION,
      };
      const model = await deps.store.build(spec, async (directory) => {
        const architecture = await inspected(deps, folder);
        const content = { architecture, files } satisfies z.infer<typeof ModelArtifact>;
        await writeFile(join(directory, 'model.json'), `${canonicalJson(content)}\n`);
        return 0;
      });
      const { architecture } = await deps.store.readJson(model, 'model.json', ModelArtifact);
      const adapter = named.adapter === undefined ? null : await adapterOf(deps, named.adapter);
      return { model, architecture, adapter };
    },
  };
}

/**
 * The checkpoint that judges, as a model: in the precision and on the device of the policy.
 *
 * @throws SticflowError `ConfigInvalid` where somebody else judges.
 */
export function modelOfJudge({ model, evaluation }: ExperimentConfig): ModelConfig {
  const { judge } = evaluation;
  if (judge?.kind !== 'policy') {
    throw new SticflowError(
      'ConfigInvalid',
      `Expected evaluation.judge of the kind policy, which names a checkpoint, got ${judge?.kind ?? 'none'}.`,
    );
  }
  const { adapter: _adapter, ...knobs } = model;
  return { ...knobs, source: judge.checkpoint };
}

/**
 * The folder on this worker that holds the files of a model artifact.
 *
 * @throws SticflowError `ModelInvalid` when they are not the files the run started with.
 */
export async function modelFolder(
  deps: ActivityDependencies,
  source: ModelSource,
  model: ArtifactRef,
): Promise<string> {
  const folder = await folderOf(deps.workspace, source);
  await requireWholeCheckpoint(folder);
  const found = await hashedFiles(deps, source, folder);
  const { files } = await deps.store.readJson(model, 'model.json', ModelArtifact);
  const changed = firstDifference(files, found);
  if (changed === null) return folder;
  throw new SticflowError(
    'ModelInvalid',
    `Expected the files at ${folder} to be those that the run started with, but ${changed} is another. Put the old file back, or start a new run.`,
  );
}

async function hashedFiles(
  { workspace }: ActivityDependencies,
  source: ModelSource,
  folder: string,
): Promise<ManifestFile[]> {
  return await withProgress(async (progress) => {
    progress.phase('hashing', 0, 'bytes');
    return await modelFiles(folder, modelFilesFile(workspace, source), (bytes) => {
      progress.advance(bytes);
    });
  });
}

async function folderOf(workspace: string, source: ModelSource): Promise<string> {
  const hub = hubParts(source);
  return hub === null
    ? await resolveSource(workspace, source)
    : hubModelDir(workspace, hub.repository, hub.revision);
}

/** Downloads what is named on the hub, unless it is all there: also when somebody put it there. */
async function fetchedFolder(deps: ActivityDependencies, source: ModelSource): Promise<string> {
  const folder = await folderOf(deps.workspace, source);
  const hub = hubParts(source);
  if (hub === null || (await missingPart(folder)) === null) return folder;
  const request = {
    protocol_version: PROTOCOL_VERSION,
    request_id: source,
    command: 'download_model',
    ...hub,
    destination: folder,
  } as const;
  await runModelRequest(deps, request, DOWNLOAD_STALL_MS);
  return folder;
}

async function inspected(deps: ActivityDependencies, path: string): Promise<string> {
  const request = {
    protocol_version: PROTOCOL_VERSION,
    request_id: 'inspect',
    command: 'inspect_model',
    path,
  } as const;
  const { summary } = await runModelRequest(deps, request, INSPECT_STALL_MS);
  return z.string().parse(summary['architecture']);
}

function hubParts(source: ModelSource): { repository: string; revision: string } | null {
  const [, repository, revision] = /^hub:(.+)@(.+)$/.exec(source) ?? [];
  return repository === undefined || revision === undefined ? null : { repository, revision };
}

/** Name of the first file that is on one side only or has other bytes; null when there is none. */
function firstDifference(
  expected: readonly ManifestFile[],
  found: readonly ManifestFile[],
): string | null {
  const names = new Set([...expected, ...found].map(({ name }) => name));
  const hashOf = (files: readonly ManifestFile[], name: string): string | undefined =>
    files.find((file) => file.name === name)?.sha256;
  for (const name of names) {
    if (hashOf(expected, name) !== hashOf(found, name)) return name;
  }
  return null;
}
