/** Turns a workspace and two ports into a running supervisor with a Temporal server below it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SEARCH_ATTRIBUTES } from '../../contract/api.ts';
import { findTemporalCli, missingTemporalCli } from './binary.mjs';
import { TemporalServerError } from './errors.ts';
import { LOOPBACK } from './ports.ts';
import { type ServerFiles, type ServerState, serverFiles } from './state.ts';

const SUPERVISOR = fileURLToPath(new URL('supervisor.mjs', import.meta.url));

/**
 * WAL with full sync: a call that writes took 7-10 ms on two cores, against 37-39 ms with SQLite's own rollback
 * journal; synchronous=NORMAL (5 ms) would lose what was acknowledged last when the power goes.
 */
const SQLITE_PRAGMAS = ['journal_mode=WAL', 'synchronous=FULL', 'busy_timeout=5000'];

/** `with_starter`: ends when the starting process ends, however it ends. `kept`: stays until stopped. */
export type ServerLifetime = 'with_starter' | 'kept';

interface Launch {
  readonly cli: string;
  readonly workspace: string;
  readonly state: ServerState;
  readonly lifetime: ServerLifetime;
}

/** @throws {@link TemporalServerError} when this machine has none */
export function temporalCli(environment: NodeJS.ProcessEnv): string {
  let path: string | undefined;
  try {
    path = findTemporalCli(environment);
  } catch (error) {
    throw new TemporalServerError(error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
  if (path === undefined) throw new TemporalServerError(missingTemporalCli(environment));
  return path;
}

/** First line of `temporal --version`. */
export function versionOf(cli: string): string {
  try {
    return execFileSync(cli, ['--version'], { encoding: 'utf8' }).split('\n', 1)[0]?.trim() ?? '';
  } catch (error) {
    throw new TemporalServerError(
      `Expected ${cli} to be the Temporal CLI, but \`${cli} --version\` failed: put another one on PATH or set TEMPORAL_CLI_PATH.`,
      { cause: error },
    );
  }
}

/**
 * Starts the supervisor. With `with_starter` its stdin is a pipe from us, so that the end of this process, even
 * by SIGKILL, ends the server.
 */
export function spawnSupervisor({ cli, workspace, state, lifetime }: Launch): ChildProcess {
  const files = serverFiles(workspace);
  const plan = {
    file: cli,
    args: serverArguments(files, state),
    state_path: files.state,
    log_path: files.log,
    state,
  };
  const log = openSync(files.log, 'a', 0o600);
  const supervisor = spawn(process.execPath, [SUPERVISOR, JSON.stringify(plan)], {
    cwd: files.folder,
    detached: true,
    stdio: [lifetime === 'kept' ? 'ignore' : 'pipe', log, log],
  });
  // Neither the process nor the pipe keeps a command alive that has nothing else to do.
  supervisor.unref();
  if (supervisor.stdin !== null && 'unref' in supervisor.stdin) {
    (supervisor.stdin as { unref(): void }).unref(); // a pipe's Writable is a net.Socket
  }
  return supervisor;
}

function serverArguments(files: ServerFiles, state: ServerState): readonly string[] {
  return [
    'server',
    'start-dev',
    ...['--db-filename', files.database],
    ...['--ip', LOOPBACK, '--ui-ip', LOOPBACK],
    ...['--port', String(state.port), '--ui-port', String(state.ui_port)],
    ...['--log-level', 'warn', '--log-format', 'json'],
    ...SQLITE_PRAGMAS.flatMap((pragma) => ['--sqlite-pragma', pragma]),
    ...Object.values(SEARCH_ATTRIBUTES).flatMap(({ name, type }) => [
      '--search-attribute',
      `${name}=${type}`,
    ]),
  ];
}

/** The dev server has no migrations: before another version opens a database, its files are copied aside. */
export function backUpBeforeUpgrade(
  workspace: string,
  previous: ServerState | undefined,
  version: string,
): void {
  const { folder, database } = serverFiles(workspace);
  if (previous === undefined || previous.cli_version === version || !existsSync(database)) return;
  const backup = join(folder, `backup-${previous.cli_version.replaceAll(/[^A-Za-z0-9.]+/g, '-')}`);
  mkdirSync(backup, { recursive: true });
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith('temporal.db'))) {
    cpSync(join(folder, name), join(backup, name));
  }
}
