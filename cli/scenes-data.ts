/** The pictures and questions of the embedded world, rendered once into the workspace. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { ExperimentConfig } from '../contract/config.ts';
import { canonicalJson } from '../store/canonical.ts';
import { pythonDir, pythonExecutable, scenesDir } from '../store/layout.ts';
import { scenesNotBuilt } from './errors.ts';
import { type Io, say } from './output.ts';

/** Data of the embedded world as a config names it; the model and the prompts ship with the package. */
const DATA = /"builtin:scenes\/(?!model")/;

/** Renders the embedded world when a config needs it and the workspace has none. */
export async function provideScenes(
  workspace: string,
  config: ExperimentConfig,
  io: Io,
): Promise<void> {
  if (DATA.test(canonicalJson(config))) await renderScenes(workspace, io);
}

/** Renders the embedded world unless it is there. @throws CliError when Python cannot */
export async function renderScenes(workspace: string, io: Io): Promise<void> {
  const folder = scenesDir(workspace);
  // Its manifest is written last.
  if (existsSync(join(folder, 'manifest.json'))) return;
  say(io, `Rendering the embedded world into ${folder} (a few seconds, once).`);
  const python = pythonExecutable(io.env);
  const result = await execa(python, ['-m', 'sticflow_ml.scenes', 'build', '--out', folder], {
    env: { PYTHONPATH: pythonDir() },
    reject: false,
    stdin: 'ignore',
  });
  if (result.failed) throw scenesNotBuilt(python, result.stderr || result.shortMessage || '');
}
