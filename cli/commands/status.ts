/** `sticflow status`: where a run stands at this moment. */
import type { Command } from 'commander';
import type { RunStatus } from '../../contract/status.ts';
import { type CommonOptions, type Context, newCommand, type Shell } from '../command.ts';
import { noStatusYet } from '../errors.ts';
import { duration, say, table } from '../output.ts';
import { chooseRun } from '../run-file.ts';
import { type KnownStatus, statusOf } from '../run-status.ts';
import { findSession } from '../session.ts';

export function statusCommand(shell: Shell): Command {
  return newCommand('status', {
    summary: 'show where a run stands',
    description:
      'RUN is the last started run by default. Without a server it shows the status of the last report.',
    examples: [
      ['sticflow status', 'the last started run'],
      ['sticflow status scenes-1f2e3d4c5b --json', 'the answer of the workflow, for programs'],
    ],
  })
    .argument('[run]', 'id of the run')
    .action(async (named: string | undefined, options: CommonOptions) => {
      await shell.perform(options, async (context) => {
        const { status } = await knownStatus(context, named);
        return { document: status, text: statusText(status) };
      });
    });
}

/** The status of the run named, or of the last one; says so when it may be behind. */
export async function knownStatus(
  { workspace, io }: Context,
  named: string | undefined,
): Promise<KnownStatus> {
  const runId = await chooseRun(workspace, named);
  const session = await findSession(workspace, io);
  try {
    const known = await statusOf(workspace, runId, session?.client ?? null);
    if (known === null) throw noStatusYet(runId);
    if (known.from === 'report' && isUnderWay(known.status)) {
      say(
        io,
        'No worker answers: this is the status of the last report. `sticflow up` starts server and workers.',
      );
    }
    return known;
  } finally {
    await session?.close();
  }
}

/** Whether a run may still change. */
export function isUnderWay({ state }: RunStatus): boolean {
  return !['completed', 'cancelled', 'failed'].includes(state);
}

function statusText(status: RunStatus): string {
  const head = `run ${status.run_id} · ${status.state} · round ${String(status.round)} of ${String(status.rounds)}`;
  const stages = status.stages.map(({ stage, state, done, total, detail, seconds }) => [
    `  ${stage}`,
    state,
    total > 0 ? `${String(done)}/${String(total)}` : '',
    seconds === null ? '' : duration(seconds),
    detail,
  ]);
  const rounds = status.rounds_done.map(({ round, action, measure, value }) => {
    const figure = value === null ? 'not measured' : value.toFixed(3);
    return `  round ${String(round)}: ${action}, ${measure} ${figure}`;
  });
  return [head, table(stages), ...rounds, status.message].filter((part) => part !== '').join('\n');
}
