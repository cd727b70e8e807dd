// A server that somebody else runs: plain `temporal server start-dev`, without anything of ours registered.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { findTemporalCli } from '../../../cli/temporal-server/binary.mjs';
import { connectServer } from '../../../cli/temporal-server/connect.ts';
import { freePort } from '../../../cli/temporal-server/ports.ts';
import { SEARCH_ATTRIBUTES } from '../../../contract/api.ts';
import { temporaryFolder } from '../../setup/programs.ts';

let server: ChildProcess;
let address: string;

beforeAll(async () => {
  const port = await freePort();
  address = `127.0.0.1:${String(port)}`;
  server = spawn(
    findTemporalCli() ?? 'temporal',
    ['server', 'start-dev', '--headless', '--port', String(port), '--log-level', 'error'],
    { stdio: 'ignore' },
  );
  await vi.waitUntil(answers, { timeout: 60_000, interval: 100 });
}, 60_000);

afterAll(async () => {
  server.kill('SIGTERM');
  await once(server, 'exit');
});

async function answers(): Promise<boolean> {
  try {
    const connection = await Connection.connect({ address, connectTimeout: '1s' });
    await connection.close();
    return true;
  } catch {
    return false;
  }
}

const environment = (settings: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  ...settings,
  TEMPORAL_CONFIG_FILE: '/nowhere/temporal.toml',
});

it('is used instead of the embedded one, and given the missing search attributes', async () => {
  const workspace = temporaryFolder();
  const connected = await connectServer({
    workspace,
    lifetime: 'with_starter',
    environment: environment({ TEMPORAL_ADDRESS: address }),
  });

  const { customAttributes } = await connected.connection.operatorService.listSearchAttributes({
    namespace: connected.namespace,
  });
  await connected.close();

  expect(connected).toMatchObject({ kind: 'external', address, namespace: 'default' });
  expect(Object.keys(customAttributes)).toEqual(
    expect.arrayContaining(Object.values(SEARCH_ATTRIBUTES).map(({ name }) => name)),
  );
  expect(existsSync(`${workspace}/temporal`)).toBe(false);
  expect(server.exitCode).toBeNull();
});

it('with an unknown namespace is answered with what to do', async () => {
  await expect(
    connectServer({
      workspace: temporaryFolder(),
      lifetime: 'with_starter',
      environment: environment({ TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: 'elsewhere' }),
    }),
  ).rejects.toThrow(
    `Expected a namespace "elsewhere" on the Temporal server at ${address}, found none: create it (temporal operator namespace create -n elsewhere) or set TEMPORAL_NAMESPACE.`,
  );
});
