/**
 * The Temporal server that a workspace brings along: one database file, loopback only, web UI on. Commands start
 * it, attach to it, or stop it; runs survive its death, because the supervisor starts it again on the same file.
 */
import { mkdirSync } from 'node:fs';
import { TemporalServerError } from './errors.ts';
import { exclusively } from './exclusive.mjs';
import {
  backUpBeforeUpgrade,
  type ServerLifetime,
  spawnSupervisor,
  temporalCli,
  versionOf,
} from './launch.ts';
import { freePort, LOOPBACK } from './ports.ts';
import { endProcess, liveProcesses, signalProcess } from './process.ts';
import { logTail, waitUntilReady } from './ready.ts';
import { readServerState, type ServerState, serverFiles } from './state.ts';

/** The dev server creates it by itself. */
const NAMESPACE = 'default';

/** Another program may take a port between our look and the server's bind. */
const PORT_ATTEMPTS = 3;

export interface EmbeddedServerOptions {
  /** Absolute path. */
  readonly workspace: string;
  readonly lifetime: ServerLifetime;
  /** @default process.env */
  readonly environment?: NodeJS.ProcessEnv;
}

export interface EmbeddedServer {
  /** `host:port` of the gRPC frontend. */
  readonly address: string;
  readonly namespace: string;
  /** Web UI, at the list of this namespace's workflows. */
  readonly uiUrl: string;
  /**
   * Process id of the server; another one after the supervisor had to start it again.
   * @throws {@link TemporalServerError} after its end
   */
  readonly pid: number;
  /** `attached`: it was running already, and {@link EmbeddedServer.stop} leaves it alone. */
  readonly origin: 'started' | 'attached';
  readonly stop: () => Promise<void>;
}

/**
 * Starts the workspace's server, or attaches to the one that runs.
 * @throws {@link TemporalServerError} when there is no Temporal CLI or the server does not come up
 */
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const { workspace, lifetime } = options;
  const files = serverFiles(workspace);
  // Histories are for their owner: the server has no authentication, and its database none either.
  mkdirSync(files.folder, { recursive: true, mode: 0o700 });
  // Two servers on one database file would damage it.
  return exclusively(files.lock, async () => {
    const state = readServerState(workspace);
    const { supervisor, server } = liveProcesses(workspace, state);
    if (state !== undefined && supervisor !== undefined) {
      if (lifetime === 'kept') signalProcess(supervisor, 'SIGUSR2');
      return attach(workspace, state);
    }
    // Its supervisor was killed: nobody would end it or start it again.
    if (server !== undefined) await endProcess(server);
    return start(options, state);
  });
}

/** The workspace's server if one runs; never starts one. */
export async function findEmbeddedServer(workspace: string): Promise<EmbeddedServer | undefined> {
  const state = readServerState(workspace);
  const { supervisor } = liveProcesses(workspace, state);
  if (state === undefined || supervisor === undefined) return undefined;
  return attach(workspace, state);
}

/** Stops the workspace's server, whoever started it. */
export async function stopEmbeddedServer(
  workspace: string,
): Promise<'stopped' | 'was_not_running'> {
  const { supervisor, server } = liveProcesses(workspace, readServerState(workspace));
  // The supervisor ends the server; a server without one is ended directly.
  const process = supervisor ?? server;
  if (process === undefined) return 'was_not_running';
  await endProcess(process);
  return 'stopped';
}

async function attach(workspace: string, state: ServerState): Promise<EmbeddedServer> {
  await waitUntilReady({ workspace, namespace: NAMESPACE, address: addressOf(state) });
  return describe(workspace, state, 'attached', () => Promise.resolve());
}

async function start(
  { workspace, lifetime, environment = process.env }: EmbeddedServerOptions,
  previous: ServerState | undefined,
): Promise<EmbeddedServer> {
  const cli = temporalCli(environment);
  const version = versionOf(cli);
  backUpBeforeUpgrade(workspace, previous, version);
  for (let attempt = 1; ; attempt += 1) {
    const wanted = attempt === 1 ? previous : undefined;
    const port = await freePort(wanted?.port);
    const state = { port, ui_port: await freePort(wanted?.ui_port), cli_version: version };
    const supervisor = spawnSupervisor({ cli, workspace, state, lifetime });
    const stop = async () => {
      if (supervisor.pid !== undefined) await endProcess(supervisor.pid);
    };
    try {
      const address = addressOf(state);
      await waitUntilReady({ workspace, namespace: NAMESPACE, address, supervisor });
      return describe(workspace, state, 'started', stop);
    } catch (error) {
      await stop();
      const portTaken = logTail(workspace).includes('address already in use');
      if (!portTaken || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

const addressOf = ({ port }: ServerState): string => `${LOOPBACK}:${String(port)}`;

function describe(
  workspace: string,
  state: ServerState,
  origin: EmbeddedServer['origin'],
  stop: () => Promise<void>,
): EmbeddedServer {
  return {
    address: addressOf(state),
    namespace: NAMESPACE,
    uiUrl: `http://${LOOPBACK}:${String(state.ui_port)}/namespaces/${NAMESPACE}/workflows`,
    // Read at each use: the supervisor records a new one when it had to start the server again.
    get pid() {
      const pid = readServerState(workspace)?.pid;
      if (pid === undefined) throw new TemporalServerError('The embedded server does not run.');
      return pid;
    },
    origin,
    stop,
  };
}
