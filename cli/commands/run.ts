/** `sticflow run`: starts a run, or attaches to it, and follows it. */
import type { Command } from 'commander';
import type { ExperimentConfig } from '../../contract/config.ts';
import { type CommonOptions, type Context, collect, newCommand, type Shell } from '../command.ts';
import { loadConfig } from '../config/load.ts';
import { EXIT } from '../exit-codes.ts';
import { followToEnd, resultOutcome, runUrl } from '../finish.ts';
import { type Outcome, say } from '../output.ts';
import { provideScenes } from '../scenes-data.ts';
import { provideWorkers, type Session, sayWhereToLook, startSession } from '../session.ts';
import { type StartedAs, startRun } from '../start-run.ts';

interface RunOptions extends CommonOptions {
  readonly set: readonly string[];
  readonly detach?: boolean;
  readonly printInput?: boolean;
}

export function runCommand(shell: Shell): Command {
  return newCommand('run', {
    summary: 'start a run of a config and follow it',
    description: `CONFIG is a YAML file or the name of a preset. The same config is the same run: starting it
twice attaches, starting a failed or cancelled one goes on from what is finished.

Server and workers are started in the background when none run (\`sticflow down\` stops them).
Ctrl-C leaves the run alone and ends with exit code 130.`,
    examples: [
      ['sticflow run scenes', 'the embedded model and pictures'],
      ['sticflow run my.yaml --set rounds=3', 'your own, with another value'],
      ['sticflow run my.yaml --detach', 'start it and leave (exit code 6)'],
      ['sticflow run my.yaml --print-input', 'input for `temporal workflow start`'],
    ],
  })
    .argument('<config>', 'YAML file, or the name of a preset')
    .option('--set <key=value>', 'override a value of the config; repeatable', collect, [])
    .option('--detach', 'start and leave: exit code 6, the run goes on')
    .option('--print-input', 'print the JSON input of the workflow and start nothing')
    .action(async (config: string, options: RunOptions) => {
      await shell.perform(options, async (context) => run(context, config, options));
    });
}

async function run(context: Context, name: string, options: RunOptions): Promise<Outcome> {
  const { workspace } = context;
  const config = await loadConfig(name, { overrides: options.set, workspace });
  if (options.printInput === true) {
    return { document: { config }, text: JSON.stringify({ config }) };
  }
  return await startAndFollow(context, { config, name }, options);
}

interface ToStart {
  readonly config: ExperimentConfig;
  /** Where the config is from, for people. */
  readonly name: string;
}

/** Starts a run of a config or attaches to it; follows it to its end unless it is to be left. */
export async function startAndFollow(
  context: Context,
  { config, name }: ToStart,
  options: { readonly detach?: boolean },
): Promise<Outcome> {
  const { io, workspace } = context;
  await provideScenes(workspace, config, io);
  const session = await startSession(workspace, 'kept', io);
  try {
    await provideWorkers(session, io);
    const started = await startRun(session, config, name);
    say(io, describeStart(started));
    sayWhereToLook(session, io);
    if (started.how === 'completed_before') return await resultOutcome(session, started.runId);
    if (options.detach === true) return await leave(session, started.runId);
    return await followToEnd(context, session, started.runId);
  } finally {
    await session.close();
  }
}

async function leave(session: Session, runId: string): Promise<Outcome> {
  const document = { run_id: runId, state: 'running', ui_url: await runUrl(session, runId) };
  const text = `run: ${runId}\nWatch it with \`sticflow watch ${runId}\`.`;
  return { document, text, exitCode: EXIT.stillRunning };
}

export function describeStart({ runId, how }: StartedAs): string {
  switch (how) {
    case 'started':
      return `Started run ${runId}.`;
    case 'attached':
      return `Run ${runId} is under way already; attached to it.`;
    case 'again':
      return `Run ${runId} had failed or been cancelled; started again, from what is finished.`;
    case 'completed_before':
      return `Run ${runId} is completed already; nothing is left to do. For another one change the config, such as \`--set seed=1\`.`;
  }
}
