/**
 * Before the first test of the projects `workflows` and `e2e`: `dist` is built when it is stale, and one Temporal
 * dev server is up for all files. Both projects call this in one process; the second attaches to the first's server.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { startEmbeddedServer } from '../../cli/temporal-server/embedded.ts';
import './server.ts';

const BUILD = fileURLToPath(new URL('../../scripts/build.mjs', import.meta.url));

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  execFileSync(process.execPath, [BUILD], { stdio: 'inherit' });
  const workspace = join(tmpdir(), `sticflow-test-server-${String(process.pid)}`);
  mkdirSync(workspace, { recursive: true });
  const server = await startEmbeddedServer({ workspace, lifetime: 'with_starter' });
  project.provide('temporal', { address: server.address, namespace: server.namespace });
  return async () => {
    await server.stop();
    if (server.origin === 'started') rmSync(workspace, { recursive: true, force: true });
  };
}
