/** Benchmarks that live in bench/python: each in the environment it needs; the last line is its result. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { z } from 'zod';
import { hashFiles, stampIs, writeStamp } from '../scripts/bootstrap/stamp.mjs';
import type { Bench, BenchOptions, BenchResult } from './result.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OURS = join(ROOT, '.venv');
/** TRL is a peer, never a dependency: it has an environment of its own. */
const PEERS = join(ROOT, '.venv-trl');
const PEERS_LOCK = join(ROOT, 'bench', 'requirements-trl.lock');

const Result = z.object({
  name: z.string(),
  peer: z.string(),
  ratio: z.number(),
  details: z.record(z.string(), z.unknown()),
});

/** A preference step beside TRL's. */
export const dpoStep: Bench = async (options) => {
  await providePeers(options);
  return await pythonBench('dpo_step', join(PEERS, 'bin', 'python'), options);
};

/** A packed step over infused examples beside padded rows. */
export const infusedStep: Bench = (options) =>
  pythonBench('infused_step', join(OURS, 'bin', 'python'), options);

/** Descriptions a second beside a loop of `generate`. */
export const generate: Bench = (options) =>
  pythonBench('generation', join(OURS, 'bin', 'python'), options);

/** Evaluation of the embedded model beside one question at a time. */
export const evaluation: Bench = (options) =>
  pythonBench('evaluation', join(OURS, 'bin', 'python'), options);

async function pythonBench(
  module: string,
  python: string,
  { others, say }: BenchOptions,
): Promise<BenchResult> {
  say(`python -m ${module} ${others.join(' ')} ...`);
  const path = [join(ROOT, 'python'), join(ROOT, 'bench', 'python')].join(delimiter);
  const { stdout } = await execa(python, ['-m', module, ...others], {
    env: { PYTHONPATH: path, HF_HUB_OFFLINE: '1', HF_HUB_DISABLE_TELEMETRY: '1' },
    stderr: 'inherit',
  });
  return Result.parse(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''));
}

/** Installs the peers' environment where it is not there yet. */
async function providePeers({ say }: BenchOptions): Promise<void> {
  const stamp = join(PEERS, '.sticflow-stamp');
  const wanted = hashFiles(ROOT, [PEERS_LOCK]);
  if (stampIs(stamp, wanted)) return;
  say('installing TRL into .venv-trl ...');
  const python = join(PEERS, 'bin', 'python');
  if (!existsSync(python)) await execa(join(OURS, 'bin', 'python'), ['-m', 'venv', PEERS]);
  const uv = join(OURS, 'bin', 'uv');
  const install = existsSync(uv)
    ? { file: uv, args: ['pip', 'install', '--python', python] }
    : { file: python, args: ['-m', 'pip', 'install', '--quiet'] };
  await execa(install.file, [...install.args, '--require-hashes', '-r', PEERS_LOCK], {
    stderr: 'inherit',
  });
  writeStamp(stamp, wanted);
}
