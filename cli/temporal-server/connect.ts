/**
 * Which Temporal server a command talks to: the one that `TEMPORAL_ADDRESS`, `TEMPORAL_PROFILE` or temporal.toml
 * names, as for the official CLI, else the embedded one of the workspace.
 */
import { Connection } from '@temporalio/client';
import {
  type ClientConfigProfile,
  loadClientConfigProfile,
  toClientOptions,
} from '@temporalio/envconfig';
import { startEmbeddedServer } from './embedded.ts';
import { TemporalServerError } from './errors.ts';
import type { ServerLifetime } from './launch.ts';
import { registerSearchAttributes } from './namespace.ts';

/** Refused connections are tried again until then; a TLS handshake across the world takes about a second. */
const CONNECT_TIMEOUT = '5s';

export interface ConnectOptions {
  /** Absolute path; the embedded server lives in it. */
  readonly workspace: string;
  /** For an embedded server that has to be started. */
  readonly lifetime: ServerLifetime;
  /** @default process.env */
  readonly environment?: NodeJS.ProcessEnv;
}

export interface TemporalServer {
  readonly kind: 'external' | 'embedded';
  readonly connection: Connection;
  readonly address: string;
  readonly namespace: string;
  /** Web UI of the embedded server; where an external one has its UI nobody tells us. */
  readonly uiUrl: string | undefined;
  /** What worker processes need on top of our environment to reach the same server. */
  readonly workerEnvironment: Readonly<Record<string, string>>;
  /** Closes the connection and ends an embedded server that this call started. */
  readonly close: () => Promise<void>;
}

/**
 * Connects to the server in charge and registers what runs need there.
 * @throws {@link TemporalServerError}
 */
export async function connectServer(options: ConnectOptions): Promise<TemporalServer> {
  const { environment = process.env } = options;
  const profile = namedProfile(environment);
  return profile === undefined ? connectEmbedded(options) : connectExternal(profile);
}

/** Whether a server is named, so that the embedded one has no part. @throws {@link TemporalServerError} */
export function namesExternalServer(environment: NodeJS.ProcessEnv): boolean {
  return namedProfile(environment) !== undefined;
}

/** The profile that names a server; undefined when nothing does. */
function namedProfile(environment: NodeJS.ProcessEnv): ClientConfigProfile | undefined {
  try {
    const overrideEnvVars = Object.fromEntries(
      Object.entries(environment).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, value]],
      ),
    );
    const profile = loadClientConfigProfile({ overrideEnvVars });
    const named = profile.address !== undefined || (environment['TEMPORAL_PROFILE'] ?? '') !== '';
    return named ? profile : undefined;
  } catch (error) {
    throw new TemporalServerError(
      `The Temporal connection settings (temporal.toml, TEMPORAL_*) cannot be used: ${messageOf(error)}. Correct them or unset them to use the embedded server.`,
      { cause: error },
    );
  }
}

async function connectExternal(profile: ClientConfigProfile): Promise<TemporalServer> {
  const { connectionOptions, namespace = 'default' } = toClientOptions(profile);
  const address = connectionOptions.address ?? 'localhost:7233';
  const connection = await connect(address, connectionOptions);
  await registerSearchAttributes({ connection, namespace, address });
  return {
    kind: 'external',
    connection,
    address,
    namespace,
    uiUrl: undefined,
    // Workers read the same settings by themselves.
    workerEnvironment: {},
    close: () => connection.close(),
  };
}

async function connectEmbedded(options: ConnectOptions): Promise<TemporalServer> {
  const server = await startEmbeddedServer(options);
  const { address, namespace, uiUrl } = server;
  const connection = await connect(address, {});
  return {
    kind: 'embedded',
    connection,
    address,
    namespace,
    uiUrl,
    workerEnvironment: { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace },
    close: async () => {
      await connection.close();
      await server.stop();
    },
  };
}

async function connect(
  address: string,
  options: ReturnType<typeof toClientOptions>['connectionOptions'],
): Promise<Connection> {
  try {
    return await Connection.connect({ ...options, address, connectTimeout: CONNECT_TIMEOUT });
  } catch (error) {
    throw new TemporalServerError(
      `No Temporal server answers at ${address} (${messageOf(error)}): start it, or correct TEMPORAL_ADDRESS or temporal.toml, or unset them to use the embedded server.`,
      { cause: error },
    );
  }
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
