/** `sticflow up`: Temporal server and workers in the background. */
import type { Command } from 'commander';
import { type CommonOptions, type Context, newCommand, type Shell } from '../command.ts';
import type { Outcome } from '../output.ts';
import { bringUpWorkers, startSession } from '../session.ts';

export function upCommand(shell: Shell): Command {
  return newCommand('up', {
    summary: 'start the Temporal server and the three workers in the background',
    description: `Starts what is missing and leaves the rest alone. The server keeps its database in the workspace and listens on
this machine only. When TEMPORAL_ADDRESS, TEMPORAL_PROFILE or temporal.toml names another server, only
the workers are started. Runs that were under way go on.`,
    examples: [
      ['sticflow up', 'start what is missing'],
      ['sticflow down', 'stop it again; nothing is lost'],
    ],
  }).action(async (options: CommonOptions) => {
    await shell.perform(options, up);
  });
}

async function up({ workspace, io }: Context): Promise<Outcome> {
  const session = await startSession(workspace, 'kept', io);
  try {
    const { server } = session;
    const workers = await bringUpWorkers(session, 'kept');
    const pids = workers.pids();
    const document = {
      server: {
        kind: server.kind,
        address: server.address,
        namespace: server.namespace,
        ui_url: server.uiUrl ?? null,
      },
      workers: pids,
    };
    const lines = Object.entries(pids).map(
      ([role, pid]) => `worker ${role}: process ${String(pid)}`,
    );
    const ui = server.uiUrl === undefined ? [] : [`ui: ${server.uiUrl}`];
    return { document, text: [`server: ${server.address}`, ...lines, ...ui].join('\n') };
  } finally {
    await session.close();
  }
}
