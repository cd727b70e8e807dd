/** What all commands have in common: options, help with examples, output, errors, exit codes. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { defaultWorkspace } from '../store/layout.ts';
import { complaintOf } from './errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { type Io, type Outcome, painter, printOutcome } from './output.ts';

/** What a command knows when it runs. */
export interface Context {
  readonly io: Io;
  /** Absolute. */
  readonly workspace: string;
  /** Aborted by Ctrl-C and SIGTERM: stop waiting, leave what goes on by itself. */
  readonly signal: AbortSignal;
}

/** One call of the program: where it writes, and the exit code that it will end with. */
export class Shell {
  readonly io: Io;
  readonly #signal: AbortSignal;
  exitCode: ExitCode = EXIT.done;

  constructor(io: Io, signal: AbortSignal) {
    this.io = io;
    this.#signal = signal;
  }

  /** Runs what a command does; prints the outcome or the complaint in the form asked for. */
  async perform(
    options: CommonOptions,
    action: (context: Context) => Promise<Outcome>,
  ): Promise<void> {
    const workspace = resolve(options.workspace ?? defaultWorkspace(this.io.env));
    const form = options.json === true ? 'json' : 'text';
    try {
      const outcome = await action({ io: this.io, workspace, signal: this.#signal });
      this.exitCode = printOutcome(this.io, outcome, form);
    } catch (error) {
      this.complain(error, form);
    }
  }

  complain(error: unknown, form: 'json' | 'text'): void {
    const { code, message, details, exitCode } = complaintOf(error);
    const paint = painter(this.io.stderr, this.io.env);
    this.io.stderr.write(`${paint('red', 'error')}: ${message}\n`);
    if (form === 'json') {
      printOutcome(this.io, { document: { error: { code, message, details } }, text: '' }, 'json');
    }
    this.exitCode = exitCode;
  }
}

/** Options that every command takes. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly workspace?: string;
}

interface CommandText {
  readonly summary: string;
  /** Paragraphs below the summary. */
  readonly description?: string;
  /** `[command line, what it does]`, shown below the options. */
  readonly examples: readonly (readonly [string, string])[];
}

/** A command with the common options and examples in its help. */
export function newCommand(name: string, { summary, description, examples }: CommandText): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, what]) => `  $ ${line.padEnd(width)}   ${what}`);
  return new Command(name)
    .summary(summary)
    .description([`${capitalised(summary)}.`, description ?? ''].join('\n\n').trim())
    .option('--json', 'print one JSON document on stdout, everything else on stderr')
    .option(
      '--workspace <dir>',
      'folder of artifacts, runs and logs (STICFLOW_WORKSPACE, else .sticflow)',
    )
    .addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

/** For repeatable options. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
