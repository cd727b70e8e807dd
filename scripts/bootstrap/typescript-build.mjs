// Step: dist/, the compiled program and the workflow bundle that workers load.
import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from './command.mjs';
import { explainFailure, SetupError } from './setup-error.mjs';
import { hashFiles, stampIs, writeStamp } from './stamp.mjs';

/** What tsconfig.build.json compiles. */
const SOURCE_FOLDERS = [
  'activities',
  'benchmarks',
  'cli',
  'contract',
  'report',
  'store',
  'studies',
  'workers',
  'workflows',
];

const SETTINGS = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];

const BUNDLER = fileURLToPath(new URL('bundle-workflows.mjs', import.meta.url));

/** @returns {import('./steps.mjs').Step} */
export function typescriptBuild({ root, logPath, env = process.env }) {
  const dist = join(root, 'dist');
  const stamp = join(dist, '.stamp');
  const want = () =>
    hashFiles(
      root,
      [...SETTINGS, ...SOURCE_FOLDERS].map((name) => join(root, name)).concat(BUNDLER),
    );
  return {
    name: 'TypeScript build',
    doing: 'compiling and bundling the workflows',
    isDone: () => stampIs(stamp, want()),
    run: async () => {
      // Named before the compiler reads: a file saved meanwhile makes the next start build again.
      const value = want();
      const fresh = join(root, 'dist.new');
      rmSync(fresh, { recursive: true, force: true });
      await compile({ root, logPath, env, fresh });
      await bundle({ root, logPath, env, fresh });
      // npm makes a program executable once, when it first links it; a build after that has to.
      chmodSync(join(fresh, 'cli', 'main.js'), 0o755);
      writeStamp(join(fresh, '.stamp'), value);
      swap(fresh, dist);
    },
  };
}

async function compile({ root, logPath, env, fresh }) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', fresh];
  const result = await runCommand(process.execPath, args, { cwd: root, logPath, env });
  if (result.code === 0) return;
  const firstError = /^.*error TS\d+.*$/m.exec(result.output)?.[0];
  if (firstError === undefined) throw explainFailure('compile', { ...result, logPath });
  throw new SetupError(
    `TypeScript refused the sources: ${firstError} (all errors: npm run check:types).`,
  );
}

async function bundle({ root, logPath, env, fresh }) {
  const result = await runCommand(process.execPath, [BUNDLER, fresh], { cwd: root, logPath, env });
  if (result.code !== 0) throw explainFailure('bundle the workflows', { ...result, logPath });
}

/** Puts the finished build in place, so that nobody ever starts a half-written one. */
function swap(fresh, dist) {
  const old = `${dist}.old`;
  rmSync(old, { recursive: true, force: true });
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(fresh, dist);
  rmSync(old, { recursive: true, force: true });
}
