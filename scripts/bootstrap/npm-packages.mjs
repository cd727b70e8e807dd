// Step: node_modules as package-lock.json says.
import { join } from 'node:path';
import { runCommand } from './command.mjs';
import { explainFailure } from './setup-error.mjs';
import { hashFiles, stampIs, writeStamp } from './stamp.mjs';

/** npm that started us, if any: it is certainly there and of this Node. */
function npmCommand(env) {
  const path = env.npm_execpath;
  return path?.endsWith('.js') === true ? [process.execPath, path] : ['npm'];
}

/** @returns {import('./steps.mjs').Step} */
export function npmPackages({ root, logPath, env = process.env }) {
  const stamp = join(root, 'node_modules', '.sticflow-stamp');
  const want = () =>
    hashFiles(root, [join(root, 'package-lock.json')], {
      // Native packages are chosen for a platform and a Node ABI.
      extra: [process.platform, process.arch, process.versions.modules],
    });
  return {
    name: 'npm packages',
    doing: 'installing',
    isDone: () => stampIs(stamp, want()),
    run: async () => {
      const [file, ...args] = npmCommand(env);
      const result = await runCommand(file, [...args, 'ci', '--include=dev', '--no-fund'], {
        cwd: root,
        logPath,
        env,
      });
      if (result.code !== 0)
        throw explainFailure('install the npm packages', { ...result, logPath });
      writeStamp(stamp, want());
    },
  };
}
