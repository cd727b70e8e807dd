/** `sticflow runs`: the runs of a workspace. */
import type { Command } from 'commander';
import { type CommonOptions, type Context, newCommand, type Shell } from '../command.ts';
import { type Outcome, table } from '../output.ts';
import { listRuns } from '../run-file.ts';
import { statusOf } from '../run-status.ts';
import { findSession } from '../session.ts';

export function runsCommand(shell: Shell): Command {
  return newCommand('runs', {
    summary: 'list the runs of the workspace, the last started first',
    examples: [['sticflow runs', 'id, state, rounds, start, config']],
  }).action(async (options: CommonOptions) => {
    await shell.perform(options, runs);
  });
}

async function runs({ workspace, io }: Context): Promise<Outcome> {
  const session = await findSession(workspace, io);
  try {
    const rows = [];
    for (const { run_id, started_at, config_name, config } of await listRuns(workspace)) {
      const known = await statusOf(workspace, run_id, session?.client ?? null);
      const { state = 'unknown', rounds_done = [], rounds = config.rounds } = known?.status ?? {};
      rows.push({
        run_id,
        state,
        rounds_done: rounds_done.length,
        rounds,
        started_at,
        config: config_name,
      });
    }
    const lines = rows.map((row) => [
      row.run_id,
      row.state,
      `${String(row.rounds_done)}/${String(row.rounds)}`,
      row.started_at.slice(0, 16).replace('T', ' '),
      row.config,
    ]);
    const head = ['run', 'state', 'rounds', 'started (UTC)', 'config'];
    const text =
      rows.length === 0 ? 'No run was started in this workspace yet.' : table([head, ...lines]);
    return { document: { runs: rows }, text };
  } finally {
    await session?.close();
  }
}
