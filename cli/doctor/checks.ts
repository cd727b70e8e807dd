/** What must be right on a machine before a run can end well; each check names its own remedy. */

import { existsSync } from 'node:fs';
import { access, constants, mkdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import type { SecretRef } from '../../contract/source.ts';
import { registeredEndpoints } from '../../store/endpoints.ts';
import { packageRoot, pythonDir, pythonExecutable } from '../../store/layout.ts';
import { resolveSource } from '../../store/sources.ts';
import { complaintOf } from '../errors.ts';
import type { Io } from '../output.ts';
import { findSession } from '../session.ts';
import { temporalCli, versionOf } from '../temporal-server/launch.ts';
import { missingRoles } from '../workers/pollers.ts';

/** `note`: worth knowing, wrong for nobody. */
export interface Finding {
  readonly check: string;
  readonly outcome: 'ok' | 'failed' | 'note';
  readonly detail: string;
  /** A command to run; null when all is well. */
  readonly remedy: string | null;
}

type Check = (place: { workspace: string; io: Io }) => Promise<Finding>;

/** A run of the embedded model needs a tenth of it; adapters and checkpoints of a 7B need it all. */
const FREE_DISK_BYTES = 5e9;

/** In the order of what stands on what. */
export const CHECKS: readonly Check[] = [
  checkNode,
  checkBuild,
  checkPython,
  checkModel,
  checkTemporalCli,
  checkWorkspace,
  checkServer,
  checkEndpointKeys,
];

function checkNode(): Promise<Finding> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isRight = major > 20 || (major === 20 && minor >= 10);
  return Promise.resolve(
    isRight
      ? ok('Node.js', process.versions.node)
      : failed(
          'Node.js',
          `expected 20.10 or newer, got ${process.versions.node}`,
          'nvm install 22',
        ),
  );
}

function checkBuild(): Promise<Finding> {
  const main = join(packageRoot(), 'dist', 'workers', 'main.js');
  return Promise.resolve(
    existsSync(main)
      ? ok('build', main)
      : failed('build', `expected the compiled worker at ${main}, there is none`, 'npm run build'),
  );
}

const PythonVersions = z.object({
  python: z.string(),
  torch: z.string(),
  transformers: z.string(),
  peft: z.string(),
  cuda: z.string().nullable(),
});

const PRINT_VERSIONS = `
import json, platform, torch, transformers, peft, sticflow_ml
cuda = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
print(json.dumps({"python": platform.python_version(), "torch": torch.__version__,
    "transformers": transformers.__version__, "peft": peft.__version__, "cuda": cuda}))`;

async function checkPython({ io }: { io: Io }): Promise<Finding> {
  const python = pythonExecutable(io.env);
  const result = await execa(python, ['-c', PRINT_VERSIONS], {
    env: { PYTHONPATH: pythonDir() },
    reject: false,
    stdin: 'ignore',
  });
  if (result.failed) {
    const reason = (result.stderr || result.shortMessage || '').trim().split('\n').at(-1) ?? '';
    return failed('Python', `${python}: ${reason}`, 'npm run bootstrap');
  }
  const versions = PythonVersions.parse(JSON.parse(result.stdout.split('\n').at(-1) ?? ''));
  const gpu = versions.cuda ?? 'no CUDA device: models run on the CPU';
  return ok(
    'Python',
    `${versions.python}, torch ${versions.torch}, transformers ${versions.transformers}, peft ${versions.peft}; ${gpu}`,
  );
}

async function checkModel({ workspace }: { workspace: string }): Promise<Finding> {
  try {
    return ok('embedded model', await resolveSource(workspace, 'builtin:scenes/model'));
  } catch (error) {
    return failed(
      'embedded model',
      complaintOf(error).message,
      'git checkout -- python/sticflow_ml/scenes/model',
    );
  }
}

function checkTemporalCli({ io }: { io: Io }): Promise<Finding> {
  try {
    const cli = temporalCli(io.env);
    return Promise.resolve(ok('Temporal CLI', `${cli} (${versionOf(cli)})`));
  } catch (error) {
    return Promise.resolve(failed('Temporal CLI', complaintOf(error).message, 'npm run bootstrap'));
  }
}

async function checkWorkspace({ workspace }: { workspace: string }): Promise<Finding> {
  try {
    await mkdir(workspace, { recursive: true });
    await access(workspace, constants.W_OK);
  } catch {
    return failed(
      'workspace',
      `${workspace} cannot be written`,
      'export STICFLOW_WORKSPACE=~/sticflow',
    );
  }
  const { bavail, bsize } = await statfs(workspace);
  const free = bavail * bsize;
  const detail = `${workspace}, ${(free / 1e9).toFixed(1)} GB free`;
  return free >= FREE_DISK_BYTES
    ? ok('workspace', detail)
    : failed('workspace', `${detail}; expected at least 5 GB`, `du -sh ${workspace}/*`);
}

async function checkServer({ workspace, io }: { workspace: string; io: Io }): Promise<Finding> {
  let session: Awaited<ReturnType<typeof findSession>>;
  try {
    session = await findSession(workspace, io);
  } catch (error) {
    return failed(
      'Temporal server',
      complaintOf(error).message,
      'unset TEMPORAL_ADDRESS TEMPORAL_PROFILE',
    );
  }
  if (session === null) {
    return note('Temporal server', 'not running; a run starts it by itself', 'sticflow up');
  }
  try {
    const { address, kind } = session.server;
    const missing = await missingRoles(session.server);
    if (missing.length === 0) return ok('Temporal server', `${kind}, ${address}, all workers poll`);
    const detail = `${kind}, ${address}; no worker polls for: ${missing.join(', ')}`;
    return failed('Temporal server', detail, 'sticflow up');
  } finally {
    await session.close();
  }
}

/** Whether the keys are where the configs of this workspace say; nothing is asked, no key is shown. */
async function checkEndpointKeys({
  workspace,
  io,
}: {
  workspace: string;
  io: Io;
}): Promise<Finding> {
  const endpoints = await registeredEndpoints(workspace);
  const missing: string[] = [];
  for (const { base_url, api_key } of endpoints) {
    if (api_key !== null && !(await hasKey(workspace, api_key, io))) {
      missing.push(`${api_key} for ${base_url}`);
    }
  }
  if (missing.length === 0) return ok('endpoints', `${endpoints.length} named, keys in place`);
  return note(
    'endpoints',
    `no key here at ${missing.join(', ')}`,
    'set it where the workers start: the GPU worker reads the key of generation.openai, the CPU worker that of evaluation.judge',
  );
}

async function hasKey(workspace: string, place: SecretRef, io: Io): Promise<boolean> {
  if (place.startsWith('env:')) return (io.env[place.slice('env:'.length)] ?? '') !== '';
  return await resolveSource(workspace, place).then(
    () => true,
    () => false,
  );
}

function ok(check: string, detail: string): Finding {
  return { check, outcome: 'ok', detail, remedy: null };
}

function note(check: string, detail: string, remedy: string): Finding {
  return { check, outcome: 'note', detail, remedy };
}

function failed(check: string, detail: string, remedy: string): Finding {
  return { check, outcome: 'failed', detail, remedy };
}
