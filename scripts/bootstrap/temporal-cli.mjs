// Step: a Temporal CLI on this machine. Found where binary.mjs looks, else downloaded by the SDK, else built by Go.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CLI_GO_PACKAGE,
  CLI_VERSION,
  cacheFolder,
  findTemporalCli,
  missingTemporalCli,
} from '../../cli/temporal-server/binary.mjs';
import { runCommand } from './command.mjs';
import { explainFailure, SetupError } from './setup-error.mjs';

const DOWNLOADER = fileURLToPath(new URL('download-temporal.mjs', import.meta.url));

/** @returns {import('./steps.mjs').Step} */
export function temporalCli({ root, logPath, env = process.env, downloader = DOWNLOADER }) {
  const find = () => {
    // A server that already runs makes a binary needless.
    if ((env.TEMPORAL_ADDRESS ?? '') !== '') return env.TEMPORAL_ADDRESS;
    try {
      return findTemporalCli(env);
    } catch (error) {
      throw new SetupError(error.message);
    }
  };
  return {
    name: 'Temporal CLI',
    doing: 'downloading, or building with Go where the download is out of reach (some minutes)',
    isDone: () => find() !== undefined,
    run: async () => {
      const folder = cacheFolder(env);
      mkdirSync(folder, { recursive: true });
      // In the folder itself, so that the last step is a rename on one file system.
      const workFolder = mkdtempSync(join(folder, '.new-'));
      try {
        const built =
          (await download({ workFolder, root, logPath, env, downloader })) ??
          (await buildWithGo({ workFolder, root, logPath, env }));
        renameSync(built, join(folder, 'temporal'));
      } finally {
        rmSync(workFolder, { recursive: true, force: true });
      }
    },
  };
}

/** Path of the downloaded binary, or undefined when it could not be had. */
async function download({ workFolder, root, logPath, env, downloader }) {
  const { code, output } = await runCommand(
    process.execPath,
    [downloader, workFolder, CLI_VERSION],
    { cwd: root, logPath, env },
  );
  const path = /^downloaded: (.+)$/m.exec(output)?.[1];
  return code === 0 && path !== undefined && existsSync(path) ? path : undefined;
}

async function buildWithGo({ workFolder, root, logPath, env }) {
  const { code, output } = await runCommand('go', ['install', CLI_GO_PACKAGE], {
    cwd: root,
    logPath,
    // A user's GOFLAGS (-mod=vendor and the like) belong to other modules.
    env: { ...env, GOFLAGS: '', GOBIN: workFolder },
  });
  if (code === 0) return join(workFolder, 'temporal');
  if (code === 127) throw new SetupError(missingTemporalCli(env));
  throw explainFailure('build the Temporal CLI with Go', { output, logPath });
}
