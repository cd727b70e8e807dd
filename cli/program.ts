/** The command line as a whole: all commands, one parser, one place where it ends. */
import { Command, CommanderError } from 'commander';
import { Shell } from './command.ts';
import { cancelCommand } from './commands/cancel.ts';
import { compareCommand } from './commands/compare.ts';
import { demoCommand } from './commands/demo.ts';
import { describeCommand } from './commands/describe.ts';
import { doctorCommand } from './commands/doctor.ts';
import { downCommand } from './commands/down.ts';
import { evalCommand } from './commands/eval.ts';
import { extendCommand } from './commands/extend.ts';
import { pauseCommand } from './commands/pause.ts';
import { planCommand } from './commands/plan.ts';
import { ranksCommand } from './commands/ranks.ts';
import { reportCommand } from './commands/report.ts';
import { resultCommand } from './commands/result.ts';
import { resumeCommand } from './commands/resume.ts';
import { retryCommand } from './commands/retry.ts';
import { runCommand } from './commands/run.ts';
import { runsCommand } from './commands/runs.ts';
import { schemaCommand } from './commands/schema.ts';
import { scoreCommand } from './commands/score.ts';
import { statusCommand } from './commands/status.ts';
import { stopCommand } from './commands/stop.ts';
import { studyCommand } from './commands/study.ts';
import { upCommand } from './commands/up.ts';
import { packageVersion, versionCommand } from './commands/version.ts';
import { watchCommand } from './commands/watch.ts';
import { workerCommand } from './commands/worker.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './output.ts';

const GROUPS = {
  'First steps': [demoCommand, doctorCommand, planCommand],
  Runs: [
    runCommand,
    watchCommand,
    statusCommand,
    resultCommand,
    reportCommand,
    runsCommand,
    describeCommand,
  ],
  'A run under way': [
    pauseCommand,
    resumeCommand,
    stopCommand,
    extendCommand,
    cancelCommand,
    retryCommand,
  ],
  'Server and workers': [upCommand, downCommand, workerCommand, ranksCommand],
  Evaluation: [evalCommand, compareCommand, scoreCommand, studyCommand],
  Reference: [schemaCommand, versionCommand],
} as const;

/** Runs one command line, without the program's name; never throws. Aborting leaves what goes on by itself. */
export async function runCli(
  args: readonly string[],
  io: Io,
  signal: AbortSignal,
): Promise<ExitCode> {
  const shell = new Shell(io, signal);
  try {
    await createProgram(shell).parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (isHelp(error)) return EXIT.done;
    shell.complain(error, args.includes('--json') ? 'json' : 'text');
  }
  return shell.exitCode;
}

/** All commands, for {@link runCli} and for the page that documents them. */
export function createProgram(shell: Shell): Command {
  const program = new Command('sticflow')
    .description(
      'Self-training on image comprehension (STIC) for vision-language models, as durable Temporal workflows.',
    )
    .version(packageVersion(), '--version')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 our defect, 2 wrong usage or config, 3 refused, 4 run failed, 5 run cancelled,
6 run still under way, 7 server or workspace out of reach, 130 Ctrl-C (the run goes on).`,
    );
  for (const [group, commands] of Object.entries(GROUPS)) {
    program.commandsGroup(`${group}:`);
    for (const create of commands) program.addCommand(create(shell));
  }
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .showHelpAfterError('(--help shows how)')
      .configureOutput({
        writeOut: (text) => shell.io.stdout.write(text),
        // The complaint is printed once, in the form that was asked for.
        outputError: () => undefined,
      });
  }
  return program;
}

function isHelp(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0;
}
