// One real Temporal server: the promises of the embedded server are about processes, files and ports.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { connectServer } from '../../../cli/temporal-server/connect.ts';
import {
  findEmbeddedServer,
  startEmbeddedServer,
  stopEmbeddedServer,
} from '../../../cli/temporal-server/embedded.ts';
import { isAlive } from '../../../cli/temporal-server/exclusive.mjs';
import { readServerState } from '../../../cli/temporal-server/state.ts';
import { SEARCH_ATTRIBUTES } from '../../../contract/api.ts';
import { temporaryFolder, writeProgram } from '../../setup/programs.ts';

const SECONDS = 1000;
const WAIT = { timeout: 30 * SECONDS, interval: 50 };

/** Environment without any named server. */
const NO_SERVER = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')),
);
const HERMETIC = { ...NO_SERVER, TEMPORAL_CONFIG_FILE: '/nowhere/temporal.toml' };

const workspaces: string[] = [];

function newWorkspace(): string {
  const workspace = temporaryFolder();
  workspaces.push(workspace);
  return workspace;
}

afterEach(async () => {
  for (const workspace of workspaces.splice(0)) await stopEmbeddedServer(workspace);
});

/** Whether a workflow of this id is on record. */
async function isKnown(address: string, workflowId: string): Promise<boolean> {
  const connection = await Connection.connect({ address });
  try {
    const { status } = await new Client({ connection }).workflow.getHandle(workflowId).describe();
    return status.name === 'RUNNING';
  } finally {
    await connection.close();
  }
}

const portOf = (address: string): number => Number(address.split(':')[1]);

async function answers(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describe('the embedded server', { timeout: 120 * SECONDS }, () => {
  it('keeps its runs through kill -9 and through stop and start, on the same ports', async () => {
    const workspace = newWorkspace();
    const server = await startEmbeddedServer({ workspace, lifetime: 'with_starter' });
    const { connection, close } = await connectServer({
      workspace,
      lifetime: 'with_starter',
      environment: HERMETIC,
    });
    await new Client({ connection }).workflow.start('anything', {
      taskQueue: 'nobody',
      workflowId: 'a-run',
    });
    const { pid, address } = server;

    process.kill(pid, 'SIGKILL');
    await vi.waitUntil(() => server.pid !== pid, WAIT);
    const attached = await startEmbeddedServer({ workspace, lifetime: 'with_starter' });

    expect(attached).toMatchObject({ origin: 'attached', address });
    await expect(isKnown(address, 'a-run')).resolves.toBe(true);

    await close();
    const lastPid = server.pid;
    await server.stop();
    expect(isAlive(lastPid)).toBe(false);
    const again = await startEmbeddedServer({ workspace, lifetime: 'with_starter' });

    expect(again).toMatchObject({ origin: 'started', address });
    await expect(isKnown(address, 'a-run')).resolves.toBe(true);
  });

  it('is ready for runs: search attributes, 90 days of retention, loopback only, a web UI', async () => {
    const workspace = newWorkspace();
    const server = await startEmbeddedServer({ workspace, lifetime: 'with_starter' });
    const connection = await Connection.connect({ address: server.address });

    const { customAttributes } = await connection.operatorService.listSearchAttributes({
      namespace: server.namespace,
    });
    const { config } = await connection.workflowService.describeNamespace({
      namespace: server.namespace,
    });
    await connection.close();
    expect(Object.keys(customAttributes)).toEqual(
      expect.arrayContaining(Object.values(SEARCH_ATTRIBUTES).map(({ name }) => name)),
    );
    expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(90 * 24 * 3600);
    // Whoever listens on all interfaces answers here too.
    await expect(answers('127.0.0.2', portOf(server.address))).resolves.toBe(false);
    await expect(answers('127.0.0.2', Number(new URL(server.uiUrl).port))).resolves.toBe(false);
    await expect(answers('127.0.0.1', portOf(server.address))).resolves.toBe(true);
    expect((await fetch(server.uiUrl)).status).toBe(200);
  });

  it('ends with its starter, even when that is killed with SIGKILL, unless it is kept', async () => {
    const workspace = newWorkspace();
    const starter = (lifetime: string) =>
      spawn(
        process.execPath,
        [
          ...['--import', 'tsx', '--input-type=module', '-e'],
          `import { startEmbeddedServer } from ${JSON.stringify(
            fileURLToPath(new URL('../../../cli/temporal-server/embedded.ts', import.meta.url)),
          )};
           const server = await startEmbeddedServer({ workspace: ${JSON.stringify(workspace)}, lifetime: '${lifetime}' });
           console.log(server.pid);
           setInterval(() => undefined, 1000);`,
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
    const mortal = starter('with_starter');
    const [line] = (await once(mortal.stdout, 'data')) as [Buffer]; // stdout yields Buffers
    const pid = Number(line.toString());
    const supervisor = readServerState(workspace)?.supervisor_pid ?? 0;
    expect([isAlive(pid), isAlive(supervisor)]).toEqual([true, true]);

    mortal.kill('SIGKILL');
    await vi.waitUntil(() => !isAlive(pid) && !isAlive(supervisor), WAIT);

    const keeper = starter('kept');
    const [keptLine] = (await once(keeper.stdout, 'data')) as [Buffer]; // stdout yields Buffers
    const keptPid = Number(keptLine.toString());
    keeper.kill('SIGKILL');
    await once(keeper, 'exit');
    const found = await findEmbeddedServer(workspace);
    expect(found?.pid).toBe(keptPid);
    await expect(stopEmbeddedServer(workspace)).resolves.toBe('stopped');
    expect(isAlive(keptPid)).toBe(false);
    await expect(stopEmbeddedServer(workspace)).resolves.toBe('was_not_running');
  });

  it('takes other ports when its own are taken', async () => {
    const workspace = newWorkspace();
    const first = await startEmbeddedServer({ workspace, lifetime: 'with_starter' });
    await first.stop();
    const squatter = createServer().listen({ host: '127.0.0.1', port: portOf(first.address) });
    await once(squatter, 'listening');

    const second = await startEmbeddedServer({ workspace, lifetime: 'with_starter' });

    squatter.close();
    expect(second.address).not.toBe(first.address);
  });

  it('starts one server when two commands start at once', async () => {
    const workspace = newWorkspace();

    const servers = await Promise.all([
      startEmbeddedServer({ workspace, lifetime: 'with_starter' }),
      startEmbeddedServer({ workspace, lifetime: 'with_starter' }),
    ]);

    expect(servers.map(({ origin }) => origin).sort()).toEqual(['attached', 'started']);
    expect(new Set(servers.map(({ pid }) => pid)).size).toBe(1);
  });

  it('replaces a server whose supervisor was killed', async () => {
    const workspace = newWorkspace();
    const first = await startEmbeddedServer({ workspace, lifetime: 'with_starter' });
    const orphan = first.pid;
    process.kill(readServerState(workspace)?.supervisor_pid ?? 0, 'SIGKILL');
    await vi.waitUntil(() => !isAlive(readServerState(workspace)?.supervisor_pid ?? 0), WAIT);

    const second = await startEmbeddedServer({ workspace, lifetime: 'with_starter' });

    expect(second.origin).toBe('started');
    expect(isAlive(orphan)).toBe(false);
  });
});

describe('starting refuses', () => {
  it('with the end of the log when the server does not come up', async () => {
    const workspace = newWorkspace();
    const cli = writeProgram(
      temporaryFolder(),
      'temporal',
      'case "$1" in --version) echo "temporal version 0";; *) echo "disk I/O error"; exit 1;; esac',
    );

    await expect(
      startEmbeddedServer({
        workspace,
        lifetime: 'with_starter',
        environment: { ...process.env, TEMPORAL_CLI_PATH: cli },
      }),
    ).rejects.toThrow(
      /ended while starting; its log .*server\.log ends with:\n(.*\n)*disk I\/O error/,
    );
  });

  it('naming the remedies where there is no Temporal CLI', async () => {
    const workspace = newWorkspace();

    await expect(
      startEmbeddedServer({
        workspace,
        lifetime: 'with_starter',
        environment: { PATH: workspace, XDG_CACHE_HOME: workspace },
      }),
    ).rejects.toThrow('No Temporal CLI was found: install it');
  });

  it('when a named server does not answer, instead of using the embedded one', async () => {
    await expect(
      connectServer({
        workspace: newWorkspace(),
        lifetime: 'with_starter',
        environment: { ...HERMETIC, TEMPORAL_ADDRESS: '127.0.0.1:1' },
      }),
    ).rejects.toThrow('No Temporal server answers at 127.0.0.1:1');
  });
});
