/** What runs were started in a workspace, with what config: kept on disk, because servers forget. */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { ExperimentConfig } from '../contract/config.ts';
import { canonicalJson } from '../store/canonical.ts';
import { hasErrorCode } from '../store/errors.ts';
import { runFile, runsDir } from '../store/layout.ts';
import { parseJson } from '../store/lines.ts';
import { noRuns, unknownRun } from './errors.ts';

const StartedRun = z.strictObject({
  schema_version: z.literal(1),
  run_id: z.string(),
  config_name: z.string().describe('file or preset, as it was given'),
  started_at: z.string().describe('ISO 8601, UTC; of the last start'),
  config: ExperimentConfig,
});
export type StartedRun = z.infer<typeof StartedRun>;

/** Writes down a start; a second start of the same run replaces the first. */
export async function recordRun(workspace: string, run: StartedRun): Promise<void> {
  const file = runFile(workspace, run.run_id);
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${String(process.pid)}`;
  await writeFile(temporary, `${canonicalJson(run)}\n`);
  await rename(temporary, file);
}

/** The run of that id, or null when it was not started in this workspace. */
export async function readRun(workspace: string, runId: string): Promise<StartedRun | null> {
  let file: string;
  try {
    file = runFile(workspace, runId);
  } catch (error) {
    // Not the form of an id: no run has it.
    if (error instanceof RangeError) return null;
    throw error;
  }
  try {
    return parseJson(await readFile(file, 'utf8'), StartedRun, file);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** Every run of the workspace, the last started first. */
export async function listRuns(workspace: string): Promise<StartedRun[]> {
  let names: string[];
  try {
    names = await readdir(runsDir(workspace));
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
  const runs = await Promise.all(names.map(async (name) => readRun(workspace, name)));
  return runs
    .filter((run) => run !== null)
    .sort((a, b) => b.started_at.localeCompare(a.started_at));
}

/**
 * The id of the run that a command is about: the one named, or the last started. A run that was
 * started by another client is known to the server only, so a name is taken as it is.
 *
 * @throws CliError when none is named and none was started here
 */
export async function chooseRun(workspace: string, named: string | undefined): Promise<string> {
  if (named !== undefined) return named.replace(/^sticflow\//, '');
  const [last] = await listRuns(workspace);
  if (last === undefined) throw noRuns();
  return last.run_id;
}

/** The error for an id that neither the server nor the workspace knows. */
export async function unknownRunIn(workspace: string, runId: string): Promise<Error> {
  return unknownRun(
    runId,
    (await listRuns(workspace)).map(({ run_id }) => run_id),
  );
}
