// Runs Python of the project's environment: `node scripts/python.mjs -m pytest ...`.
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from './run-program.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** File, arguments and environment that run Python with our package importable. */
export function pythonCommand(args, env = process.env) {
  const path = [join(ROOT, 'python'), env.PYTHONPATH ?? ''].filter((entry) => entry !== '');
  return {
    file: join(ROOT, '.venv', 'bin', 'python'),
    args,
    env: { ...env, PYTHONPATH: path.join(delimiter) },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { file, args, env } = pythonCommand(process.argv.slice(2));
  process.exitCode = await runProgram(file, args, { cwd: ROOT, env });
}
