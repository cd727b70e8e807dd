/**
 * Where things lie: every path of a workspace and of the installed package is a function here.
 * Names that come from outside are checked, so that no id can climb out of its folder.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ArtifactKey, type ArtifactKind } from '../contract/artifact.ts';
import { sha256Hex } from './canonical.ts';

const RUN_ID = /^[a-z0-9][a-z0-9-]{0,79}$/;

/** `STICFLOW_WORKSPACE`, else `.sticflow` in the current directory; absolute. */
export function defaultWorkspace(environment: NodeJS.ProcessEnv = process.env): string {
  const { STICFLOW_WORKSPACE = '.sticflow' } = environment;
  return resolve(STICFLOW_WORKSPACE);
}

export function artifactsDir(workspace: string): string {
  return join(workspace, 'artifacts');
}

/** Folder of one finished artifact; beside it lie the `.tmp-*` folders of builders at work. */
export function artifactDir(workspace: string, kind: ArtifactKind, key: string): string {
  return join(artifactsDir(workspace), kind, ArtifactKey.parse(key));
}

/** Folder that survives the attempts of one piece of model work: checkpoints, partial output. */
export function workDir(workspace: string, kind: ArtifactKind, key: string): string {
  return join(workspace, 'work', kind, ArtifactKey.parse(key));
}

/** Features of images that model processes share; may be deleted at any time. */
export function featureCacheDir(workspace: string): string {
  return join(workspace, 'cache', 'features');
}

/** The key by which hosts that train together know each other. */
export function rankKeyPath(workspace: string): string {
  return join(workspace, 'ranks.key');
}

export function runsDir(workspace: string): string {
  return join(workspace, 'runs');
}

/** @throws RangeError when the id is not 1-80 of a-z, 0-9 and - */
export function runDir(workspace: string, runId: string): string {
  if (!RUN_ID.test(runId)) {
    throw new RangeError(`Expected a run id of 1-80 of a-z, 0-9 and -, got "${runId}"`);
  }
  return join(runsDir(workspace), runId);
}

/** What a run was started with; the server forgets closed runs, this file does not. */
export function runFile(workspace: string, runId: string): string {
  return join(runDir(workspace, runId), 'run.json');
}

/** The status that the last report of a run was written from, for when no server runs. */
export function statusFile(workspace: string, runId: string): string {
  return join(runDir(workspace, runId), 'status.json');
}

/** Process ids of the background workers. */
export function workersFile(workspace: string): string {
  return join(workspace, 'workers.json');
}

/** Name of the report below {@link runDir}. */
export const REPORT_FILE = 'report.html';

export function reportFile(workspace: string, runId: string): string {
  return join(runDir(workspace, runId), REPORT_FILE);
}

/**
 * What judging keeps for all runs of a workspace: replies, how fast each server may be asked, and
 * what each config has spent.
 */
export function judgeDir(workspace: string, what: 'replies' | 'pace' | 'spending'): string {
  return join(workspace, 'judge', what);
}

export function studiesDir(workspace: string): string {
  return join(workspace, 'studies');
}

/** @throws RangeError when the id is not 1-80 of a-z, 0-9 and - */
export function studyDir(workspace: string, studyId: string): string {
  if (!RUN_ID.test(studyId)) {
    throw new RangeError(`Expected a study id of 1-80 of a-z, 0-9 and -, got "${studyId}"`);
  }
  return join(studiesDir(workspace), studyId);
}

/** What a study was started with: the workflow's input names this file. */
export function studyRequestFile(workspace: string, studyId: string): string {
  return join(studyDir(workspace, studyId), 'request.json');
}

/** A copy of the result, for when no server runs. */
export function studyResultFile(workspace: string, studyId: string): string {
  return join(studyDir(workspace, studyId), 'study.json');
}

/** Name of a study's page below {@link studyDir}. */
export const STUDY_PAGE = 'study.html';

export function studyPageFile(workspace: string, studyId: string): string {
  return join(studyDir(workspace, studyId), STUDY_PAGE);
}

/** Images that an arm of a study selected: PNG files, named by their hash. */
export function selectedImagesDir(workspace: string, key: string): string {
  return join(studiesDir(workspace), 'images', ArtifactKey.parse(key));
}

export function logsDir(workspace: string): string {
  return join(workspace, 'logs');
}

/** Database, pid file and log of the embedded Temporal server. */
export function temporalDir(workspace: string): string {
  return join(workspace, 'temporal');
}

export function sourcesDir(workspace: string): string {
  return join(workspace, 'sources');
}

export function endpointsDir(workspace: string): string {
  return join(workspace, 'endpoints');
}

/** Pictures, instructions and questions of the embedded world, rendered on this machine. */
export function scenesDir(workspace: string): string {
  return join(workspace, 'scenes');
}

export function modelsDir(workspace: string): string {
  return join(workspace, 'models');
}

/** Snapshot of a hub model pinned to a commit. */
export function hubModelDir(workspace: string, repository: string, commit: string): string {
  return join(modelsDir(workspace), repository.replace('/', '--'), commit);
}

/** Hashes of the files behind a model source, with what they looked like when they were hashed. */
export function modelFilesFile(workspace: string, source: string): string {
  return join(modelsDir(workspace), `${sha256Hex(source).slice(0, 32)}.json`);
}

/** Root of the installed package: the folder of its package.json, from source and from `dist`. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`No package.json above ${import.meta.url}`);
    folder = parent;
  }
  return folder;
}

export function configDir(): string {
  return join(packageRoot(), 'config');
}

/** Descriptions of the studies that ship with the package. */
export function studyDescriptionsDir(): string {
  return join(configDir(), 'studies');
}

/** Published figures that studies stand beside. */
export function paperResultsFile(): string {
  return join(configDir(), 'paper-results.json');
}

/** Folder that goes on PYTHONPATH. */
export function pythonDir(): string {
  return join(packageRoot(), 'python');
}

/** `STICFLOW_PYTHON`, else the interpreter of the package's own environment. */
export function pythonExecutable(environment: NodeJS.ProcessEnv = process.env): string {
  const { STICFLOW_PYTHON = join(packageRoot(), '.venv', 'bin', 'python') } = environment;
  return STICFLOW_PYTHON;
}
