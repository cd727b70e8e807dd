// Makes a fresh clone ready: npm packages, Python environment, Temporal CLI, build. No dependencies of its own.
// `node scripts/bootstrap.mjs [--dev]`; `npm start` and `npm test` run it first.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exclusively } from '../cli/temporal-server/exclusive.mjs';
import { npmPackages } from './bootstrap/npm-packages.mjs';
import { checkCheckout, checkDisk, checkNode } from './bootstrap/preflight.mjs';
import { pythonEnvironment } from './bootstrap/python-environment.mjs';
import { SetupError } from './bootstrap/setup-error.mjs';
import { runSteps } from './bootstrap/steps.mjs';
import { temporalCli } from './bootstrap/temporal-cli.mjs';
import { typescriptBuild } from './bootstrap/typescript-build.mjs';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Runs what is not done yet; safe to run twice at once and after any kill.
 * @param {{dev?: boolean, out?: NodeJS.WritableStream}} [options] `dev` adds the test and check tools
 * @throws {SetupError}
 */
export async function bootstrap({ dev = false, out = process.stderr } = {}) {
  checkNode();
  checkCheckout(['package-lock.json', 'python/requirements.lock'].map((name) => join(ROOT, name)));
  const ready = existsSync(join(ROOT, '.venv')) && existsSync(join(ROOT, 'node_modules'));
  checkDisk(ROOT, { ready });
  const place = { root: ROOT, logPath: join(ROOT, 'bootstrap.log') };
  await exclusively(
    join(ROOT, '.bootstrap.lock'),
    () =>
      runSteps(
        [
          npmPackages(place),
          pythonEnvironment({ ...place, dev }),
          temporalCli(place),
          typescriptBuild(place),
        ],
        out,
      ),
    (pid) => {
      out.write(
        `setup: waiting for the set-up that process ${pid} runs (if there is none, delete .bootstrap.lock)\n`,
      );
    },
  );
}

/** {@link bootstrap} for a command line: prints the one sentence of a failure and ends with exit code 1. */
export async function bootstrapOrExit(options) {
  try {
    await bootstrap(options);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`setup: ${error.message}\n`);
    process.exit(1);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await bootstrapOrExit({ dev: process.argv.includes('--dev') });
}
