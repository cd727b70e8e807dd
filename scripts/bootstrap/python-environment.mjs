// Step: .venv with the locked packages. uv does it in a fraction of pip's time; pip is what every Python has.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.mjs';
import { findPython } from './find-python.mjs';
import { explainFailure } from './setup-error.mjs';
import { hashFiles, stampIs, writeStamp } from './stamp.mjs';

const UV = 'uv==0.13.9';

function uvOnPath(env) {
  try {
    execFileSync('uv', ['--version'], { env, stdio: 'ignore' });
    return 'uv';
  } catch {
    return undefined;
  }
}

/**
 * @param {{root: string, logPath: string, dev: boolean, env?: NodeJS.ProcessEnv}} options
 * @returns {import('./steps.mjs').Step}
 */
export function pythonEnvironment({ root, logPath, dev, env = process.env }) {
  const venv = join(root, '.venv');
  const python = join(venv, 'bin', 'python');
  const locks = [
    join(root, 'python', 'requirements.lock'),
    ...(dev ? [join(root, 'python', 'requirements-dev.lock')] : []),
  ];
  // A stamp for each lock: going from `npm test` back to `npm start` is no reason to install anything.
  const stamps = locks.map((lock) => ({
    path: join(venv, dev && lock !== locks[0] ? '.sticflow-stamp-dev' : '.sticflow-stamp'),
    value: () => hashFiles(root, [lock]),
  }));
  const run = async (doing, file, args) => {
    const result = await runCommand(file, args, { cwd: root, logPath, env });
    if (result.code !== 0) throw explainFailure(doing, { ...result, logPath });
  };

  return {
    name: 'Python environment',
    doing: 'installing (torch is large; minutes on a slow line)',
    isDone: () => existsSync(python) && stamps.every(({ path, value }) => stampIs(path, value())),
    check: () => findPython({ needsVenv: uvOnPath(env) === undefined, env }),
    run: async () => {
      const uv = uvOnPath(env);
      if (!existsSync(python)) await makeEnvironment({ uv, venv, run, env });
      await installLocks({
        uv: uv ?? (await uvInside(venv, { root, logPath, env })),
        python,
        locks,
        run,
        env,
      });
      for (const { path, value } of stamps) writeStamp(path, value());
    },
  };
}

async function makeEnvironment({ uv, venv, run, env }) {
  const base = findPython({ needsVenv: uv === undefined, env });
  if (uv === undefined) await run('make the Python environment', base.path, ['-m', 'venv', venv]);
  else await run('make the Python environment', uv, ['venv', '--python', base.path, venv]);
}

/** Path of a uv inside the environment, or undefined when it cannot be had; pip does then. */
async function uvInside(venv, { root, logPath, env }) {
  const uv = join(venv, 'bin', 'uv');
  if (existsSync(uv)) return uv;
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', UV];
  const result = await runCommand(join(venv, 'bin', 'python'), pip, { cwd: root, logPath, env });
  return result.code === 0 && existsSync(uv) ? uv : undefined;
}

/**
 * Installs what the locks name and removes nothing: a user's GPU extras live in the same environment,
 * and so does the uv that works here.
 */
async function installLocks({ uv, python, locks, run, env }) {
  const files = locks.flatMap((lock) => ['-r', lock]);
  const doing = 'install the Python packages';
  if (uv === undefined) {
    await run(doing, python, ['-m', 'pip', 'install', '--require-hashes', '--no-deps', ...files]);
  } else {
    // Where Python may not keep what it compiles, as in many containers, each of our processes would compile
    // torch and transformers again: 23 s of imports instead of 8 on two cores. pip always does this.
    const compile = env.PYTHONDONTWRITEBYTECODE ? ['--compile-bytecode'] : [];
    const options = ['--python', python, '--require-hashes', ...compile];
    await run(doing, uv, ['pip', 'install', ...options, ...files]);
  }
}
