// @ts-check
// Where the Temporal CLI (dev server and web UI) is found. Plain JavaScript without dependencies, because
// the set-up asks before any package is installed, and the product asks the same questions later.
import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The last version that `go install` accepts: from v1.6.0 on its go.mod has a `replace`. */
export const CLI_VERSION = 'v1.5.1';

/** What `go install` builds. */
export const CLI_GO_PACKAGE = `github.com/temporalio/cli/cmd/temporal@${CLI_VERSION}`;

/**
 * Folder of our own copy, by version: a database file belongs to the server version that made it.
 * @param {NodeJS.ProcessEnv} [env]
 */
export function cacheFolder(env = process.env) {
  const base = env['XDG_CACHE_HOME'] ?? '';
  return join(base === '' ? join(homedir(), '.cache') : base, 'sticflow', 'temporal', CLI_VERSION);
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Path of the Temporal CLI: `TEMPORAL_CLI_PATH`, then PATH, then our cache.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | undefined} undefined when there is none
 * @throws {Error} when `TEMPORAL_CLI_PATH` names no executable: a wish is never passed over in silence
 */
export function findTemporalCli(env = process.env) {
  const named = env['TEMPORAL_CLI_PATH'];
  if (named !== undefined && named !== '') {
    if (isExecutable(named)) return named;
    throw new Error(
      `Expected TEMPORAL_CLI_PATH to name an executable Temporal CLI, got ${named}: correct it or unset it.`,
    );
  }
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...folders, cacheFolder(env)]
    .map((folder) => join(folder, 'temporal'))
    .find(isExecutable);
}

/**
 * The sentence for a machine without a Temporal CLI.
 * @param {NodeJS.ProcessEnv} [env]
 */
export function missingTemporalCli(env = process.env) {
  return (
    'No Temporal CLI was found: install it (https://docs.temporal.io/cli) so that `temporal` is on PATH, ' +
    `or set TEMPORAL_CLI_PATH to it, or install Go and run \`GOBIN=${cacheFolder(env)} go install ${CLI_GO_PACKAGE}\`; ` +
    'a Temporal server that already runs can be used instead through TEMPORAL_ADDRESS.'
  );
}
