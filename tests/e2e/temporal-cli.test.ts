/** A client that nobody here wrote: the official `temporal` program starts, asks, steers and cancels a run. */
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { findTemporalCli } from '../../cli/temporal-server/binary.mjs';
import { Workspace } from './workspace.ts';

const ONE_ROUND = ['scenes-smoke', '--set', 'rounds=1'];

test('the official CLI starts a run with JSON input, queries, pauses, resumes and cancels it', async () => {
  await using workspace = new Workspace();
  await workspace.json(['up']);
  const input = (await workspace.sticflow('run', ...ONE_ROUND, '--print-input')).stdout;
  const id = ['--workflow-id', 'sticflow/by-hand'];

  await temporal(
    workspace,
    'workflow',
    'start',
    ...id,
    '--type',
    'selfTraining',
    '--task-queue',
    'sticflow-orchestrator',
    '--input',
    input,
  );
  await workspace.until('by-hand', ({ status }) => status.state === 'running');
  const asked = await temporal(workspace, 'workflow', 'query', ...id, '--name', 'status');
  expect(JSON.parse(asked)).toMatchObject({ queryResult: [{ state: 'running', rounds: 1 }] });

  await temporal(workspace, 'workflow', 'update', 'execute', ...id, '--name', 'pause');
  expect((await workspace.until('by-hand', () => true)).status.state).toMatch(/^paus/);
  await expect(
    temporal(workspace, 'workflow', 'update', 'execute', ...id, '--name', 'pause'),
  ).rejects.toThrow(/paused already|already/);
  await temporal(workspace, 'workflow', 'update', 'execute', ...id, '--name', 'resume');

  await temporal(workspace, 'workflow', 'cancel', ...id);
  const ended = await workspace.sticflow('watch', 'by-hand');
  expect(ended.exitCode).toBe(5);
  const described = await temporal(workspace, 'workflow', 'describe', ...id);
  expect(described).toContain('CANCELED');
});

async function temporal(workspace: Workspace, ...args: string[]): Promise<string> {
  const { stdout } = await execa(
    findTemporalCli() ?? 'temporal',
    [...args, '--address', workspace.address, '-o', 'json'],
    {
      stdin: 'ignore',
    },
  );
  return stdout;
}
