/** A worker's connection, from the environment and `temporal.toml` as every Temporal tool reads them. */
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';

export interface Server {
  readonly connection: NativeConnection;
  readonly namespace: string;
}

/** @throws when the server does not answer: the supervisor of the worker tries again. */
export async function connect(): Promise<Server> {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const connection = await NativeConnection.connect(connectionOptions);
  return { connection, namespace: namespace ?? 'default' };
}
