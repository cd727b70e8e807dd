// Makes a fresh clone ready: npm packages, Python environment, Temporal CLI, build. No dependencies of its own.
// `node scripts/bootstrap.mjs [--dev]`; `npm start` and `npm test` run it first.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exclusively } from '../cli/temporal-server/exclusive.mjs';
import { npmPackages } from './bootstrap/npm-packages.mjs';
import { checkCheckout, checkDisk, checkNode } from './bootstrap/preflight.mjs';
import { pythonEnvironment } from './bootstrap/python-environment.mjs';
import { orExit } from './bootstrap/setup-error.mjs';
import { runSteps } from './bootstrap/steps.mjs';
import { temporalCli } from './bootstrap/temporal-cli.mjs';
import { typescriptBuild } from './bootstrap/typescript-build.mjs';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Whoever installs or builds in this checkout holds it. */
export const LOCK_PATH = join(ROOT, '.bootstrap.lock');

/** Says once that somebody else is at it. */
export const tellWaiting = (out) => (pid) =>
  out.write(
    `setup: waiting for the set-up that process ${pid} runs (if there is none, delete .bootstrap.lock)\n`,
  );

/** Steps by purpose: checkers read the sources and must report what the compiler would refuse. */
const PURPOSES = {
  run: { dev: false, build: true },
  test: { dev: true, build: true },
  check: { dev: true, build: false },
};

/**
 * Runs what is not done yet; safe to run twice at once and after any kill.
 * @param {{purpose?: keyof typeof PURPOSES, out?: NodeJS.WritableStream}} [options]
 * @throws {SetupError}
 */
export async function bootstrap({ purpose = 'run', out = process.stderr } = {}) {
  const { dev, build } = PURPOSES[purpose];
  checkNode();
  checkCheckout(['package-lock.json', 'python/requirements.lock'].map((name) => join(ROOT, name)));
  const ready = existsSync(join(ROOT, '.venv')) && existsSync(join(ROOT, 'node_modules'));
  checkDisk(ROOT, { ready });
  const place = { root: ROOT, logPath: join(ROOT, 'bootstrap.log') };
  await exclusively(
    LOCK_PATH,
    () =>
      runSteps(
        [
          npmPackages(place),
          pythonEnvironment({ ...place, dev }),
          temporalCli(place),
          ...(build ? [typescriptBuild(place)] : []),
        ],
        out,
      ),
    tellWaiting(out),
  );
}

/** {@link bootstrap} for a command line: prints the one sentence of a failure and ends with exit code 1. */
export function bootstrapOrExit(options) {
  return orExit(() => bootstrap(options));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await bootstrapOrExit({ purpose: process.argv.includes('--dev') ? 'test' : 'run' });
}
