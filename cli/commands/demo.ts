/** `sticflow demo`: the embedded run from nothing to a report, with server and workers of its own. */
import type { Command } from 'commander';
import { reportFile } from '../../store/layout.ts';
import { type CommonOptions, type Context, collect, newCommand, type Shell } from '../command.ts';
import { loadConfig } from '../config/load.ts';
import { detachedDemo } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { followToEnd, resultOutcome, runUrl } from '../finish.ts';
import { type Outcome, say } from '../output.ts';
import { provideScenes } from '../scenes-data.ts';
import { bringUpWorkers, type Session, sayWhereToLook, startSession } from '../session.ts';
import { startRun } from '../start-run.ts';
import { describeStart } from './run.ts';

interface DemoOptions extends CommonOptions {
  readonly config: string;
  readonly set: readonly string[];
  readonly keep?: boolean;
}

export function demoCommand(shell: Shell): Command {
  return newCommand('demo', {
    summary: 'train the embedded model on its pictures for two rounds, and report',
    description: `What \`npm start\` runs: renders the pictures, starts a Temporal server and three workers, runs the
preset "scenes", and stops what it started. A demo that was interrupted goes on where it was.`,
    examples: [
      ['sticflow demo', 'the whole method in some minutes, on the CPU'],
      ['sticflow demo --keep', 'leave server, web UI and workers running'],
      ['sticflow demo --set seed=1', 'the same with another seed'],
    ],
  })
    .option('--config <config>', 'YAML file, or the name of a preset', 'scenes')
    .option('--set <key=value>', 'override a value of the config; repeatable', collect, [])
    .option('--keep', 'leave server and workers running (`sticflow down` stops them)')
    .action(async (options: DemoOptions) => {
      await shell.perform(options, async (context) => demo(context, options));
    });
}

async function demo(context: Context, options: DemoOptions): Promise<Outcome> {
  const { io, workspace } = context;
  const config = await loadConfig(options.config, { overrides: options.set, workspace });
  await provideScenes(workspace, config, io);
  const lifetime = options.keep === true ? 'kept' : 'with_starter';
  const session = await startSession(workspace, lifetime, io);
  try {
    const workers = await bringUpWorkers(session, lifetime);
    try {
      const started = await startRun(session, config, options.config);
      say(io, describeStart(started));
      sayWhereToLook(session, io);
      const outcome =
        started.how === 'completed_before'
          ? await resultOutcome(session, started.runId)
          : await followToEnd(context, session, started.runId);
      return await withLastLines(session, started.runId, outcome);
    } finally {
      if (options.keep !== true) await workers.stop();
    }
  } finally {
    await session.close();
  }
}

/** Programs read the last three lines; their form stays. */
async function withLastLines(session: Session, runId: string, outcome: Outcome): Promise<Outcome> {
  if (outcome.exitCode === EXIT.interrupted) return { ...outcome, text: detachedDemo() };
  const url = (await runUrl(session, runId)) ?? session.server.address;
  const report = reportFile(session.workspace, runId);
  const table = outcome.text.replace(/\n\nreport: .*$/, '');
  return { ...outcome, text: `${table}\n\nrun: ${runId}\nui: ${url}\nreport: ${report}` };
}
