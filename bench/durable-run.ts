/** A run as a user starts it, in a workspace of its own, and the times that its histories tell. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { execa } from 'execa';
import { readServerState } from '../cli/temporal-server/state.ts';
import { artifactsDir } from '../store/layout.ts';
import { readManifest } from '../store/manifest.ts';
import { type RunTimes, runTimes } from './histories.ts';
import { temporaryWorkspace } from './workspace.ts';

const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
/** The one file of an adapter in which no setting stands. */
const WEIGHTS = 'adapter_model.safetensors';

export interface DurableRun {
  readonly runId: string;
  readonly times: RunTimes;
  /** sha256 of the weights of every adapter, sorted. */
  adapterWeights(): string[];
  /** Ends server and workers and deletes the workspace. */
  remove(): Promise<void>;
}

/** @throws when the run does not complete */
export async function durableRun(
  config: string,
  overrides: readonly string[],
): Promise<DurableRun> {
  const workspace = await temporaryWorkspace();
  const sticflow = async (...args: string[]): Promise<string> => {
    const env = { STICFLOW_WORKSPACE: workspace.dir };
    const { stdout } = await execa(process.execPath, [MAIN, ...args], { env, stderr: 'ignore' });
    return stdout;
  };
  const remove = async (): Promise<void> => {
    await sticflow('down');
    await workspace[Symbol.asyncDispose]();
  };
  try {
    const set = overrides.flatMap((override) => ['--set', override]);
    const { run_id } = JSON.parse(await sticflow('run', config, ...set, '--json')) as {
      run_id: string; // the document of `sticflow run`
    };
    const times = await timesOf(workspace.dir, run_id);
    return { runId: run_id, times, adapterWeights: () => adapterWeights(workspace.dir), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** sha256 of the weights of every adapter in a workspace, sorted. */
export function adapterWeights(workspace: string): string[] {
  const root = join(artifactsDir(workspace), 'adapter');
  return readdirSync(root)
    .flatMap((key) => readManifest(join(root, key))?.files ?? [])
    .flatMap(({ name, sha256 }) => (name === WEIGHTS ? [sha256] : []))
    .sort();
}

async function timesOf(workspace: string, runId: string): Promise<RunTimes> {
  const state = readServerState(workspace);
  if (state === undefined) throw new Error(`Expected a server in ${workspace}, found none.`);
  const connection = await Connection.connect({ address: `127.0.0.1:${String(state.port)}` });
  try {
    return await runTimes(new Client({ connection }), runId);
  } finally {
    await connection.close();
  }
}
