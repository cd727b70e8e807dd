/** A command's line to Temporal: finds the server, brings up local workers where that is wanted. */
import { Client } from '@temporalio/client';
import { missingWorkersNote, noServer, workersDoNotStart } from './errors.ts';
import { type Io, say } from './output.ts';
import {
  connectServer,
  namesExternalServer,
  type TemporalServer,
} from './temporal-server/connect.ts';
import { findEmbeddedServer } from './temporal-server/embedded.ts';
import type { ServerLifetime } from './temporal-server/launch.ts';
import { type LocalWorkers, startWorkers, workerLogTail } from './workers/local.ts';
import { missingRoles, waitForWorkers } from './workers/pollers.ts';

/** Starting three Node.js processes takes some seconds; on a busy machine many. */
const WORKERS_WITHIN_MS = 90_000;

export interface Session {
  readonly workspace: string;
  readonly server: TemporalServer;
  readonly client: Client;
  /** Closes the line; ends what was started to live with this command. */
  close(): Promise<void>;
}

/**
 * Connects to a server that runs already.
 *
 * @throws CliError exit code 7 when none does
 */
export async function openSession(workspace: string, io: Io): Promise<Session> {
  const session = await findSession(workspace, io);
  if (session === null) throw noServer();
  return session;
}

/** Connects to a server that runs already; null when none does. */
export async function findSession(workspace: string, io: Io): Promise<Session | null> {
  const isThere =
    namesExternalServer(io.env) || (await findEmbeddedServer(workspace)) !== undefined;
  return isThere ? await connect(workspace, 'with_starter', io) : null;
}

/** Connects, starting the embedded server when none is named or running. */
export async function startSession(
  workspace: string,
  lifetime: ServerLifetime,
  io: Io,
): Promise<Session> {
  return await connect(workspace, lifetime, io);
}

/** Has local workers poll the session's server. @throws CliError when one does not come up */
export async function bringUpWorkers(
  session: Session,
  lifetime: ServerLifetime,
): Promise<LocalWorkers> {
  const { workspace, server } = session;
  const workers = startWorkers({ workspace, lifetime, environment: server.workerEnvironment });
  const [missing] = await waitForWorkers(server, WORKERS_WITHIN_MS);
  if (missing === undefined) return workers;
  const tail = workerLogTail(workspace, missing);
  await workers.stop();
  throw workersDoNotStart(missing, workspace, tail);
}

/** The embedded server brings its workers; those of another server are other people's to start. */
export async function provideWorkers(session: Session, io: Io): Promise<void> {
  if (session.server.kind === 'external') {
    const missing = await missingRoles(session.server);
    if (missing.length > 0) say(io, missingWorkersNote(missing));
    return;
  }
  const workers = await bringUpWorkers(session, 'kept');
  if (workers.origin === 'started') {
    say(io, 'Server and workers now run in the background; `sticflow down` stops them.');
  }
}

async function connect(workspace: string, lifetime: ServerLifetime, io: Io): Promise<Session> {
  const server = await connectServer({ workspace, lifetime, environment: io.env });
  const { connection, namespace } = server;
  return {
    workspace,
    server,
    client: new Client({ connection, namespace }),
    // A server that is to stay is only hung up on.
    close: async () => (lifetime === 'kept' ? connection.close() : server.close()),
  };
}

/** Where to look in a browser, if we know. */
export function sayWhereToLook(session: Session, io: Io): void {
  if (session.server.uiUrl !== undefined) say(io, `web UI: ${session.server.uiUrl}`);
}
