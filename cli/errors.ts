/** Every sentence about something that went wrong in a command, with what to do about it. */
import { WorkflowFailedError } from '@temporalio/client';
import { CommanderError } from 'commander';
import { SticflowError } from '../store/errors.ts';
import { ConfigError } from './config/issues.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { failureOf, isQueryUnanswered, isUnreachable, refusalOf } from './temporal-errors.ts';
import { TemporalServerError } from './temporal-server/errors.ts';

/** An expected end of a command: a sentence for the person, a code for the script. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: string;
  readonly exitCode: ExitCode;

  constructor(code: string, message: string, exitCode: ExitCode, options: ErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** What is printed and returned when a command throws. */
export interface Complaint {
  readonly code: string;
  readonly message: string;
  readonly exitCode: ExitCode;
  readonly details: unknown;
}

/** Turns whatever was thrown into a complaint; an unknown error is a defect and keeps its stack. */
export function complaintOf(error: unknown): Complaint {
  if (error instanceof ConfigError) {
    return {
      code: error.code,
      message: error.message,
      exitCode: EXIT.usage,
      details: error.issues,
    };
  }
  if (error instanceof CliError) return { ...plain(error.code, error.message, error.exitCode) };
  if (error instanceof SticflowError) return plain(error.code, error.message, exitCodeOf(error));
  if (error instanceof TemporalServerError) {
    return plain(error.code, error.message, EXIT.unreachable);
  }
  if (error instanceof CommanderError) {
    return plain('Usage', error.message.replace(/^error: /, ''), EXIT.usage);
  }
  if (isUnreachable(error)) {
    return plain(
      'ServerUnreachable',
      `The Temporal server does not answer. ${START_SERVER}`,
      EXIT.unreachable,
    );
  }
  if (isQueryUnanswered(error)) return plain('NoWorkers', noWorkersNote(), EXIT.unreachable);
  const refusal = refusalOf(error);
  if (refusal !== null) return plain('Refused', refusal, EXIT.refused);
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return plain(
    'Bug',
    `This is a defect of sticflow; please report it with these lines:\n${stack}`,
    EXIT.bug,
  );
}

const START_SERVER =
  'Start the embedded one with `sticflow up`, or set TEMPORAL_ADDRESS to the one you mean.';

export function noServer(): CliError {
  return new CliError(
    'ServerUnreachable',
    `No Temporal server runs for this workspace. ${START_SERVER}`,
    EXIT.unreachable,
  );
}

export function notBuilt(file: string): CliError {
  return new CliError(
    'NotBuilt',
    `Expected the compiled worker at ${file}, there is none. Build it with \`npm run build\`.`,
    EXIT.unreachable,
  );
}

/** `tail`: the last lines of that worker's log. */
export function workersDoNotStart(role: string, workspace: string, tail: string): CliError {
  const log = `${workspace}/logs/worker-${role}.log`;
  const lines = tail === '' ? `Its log ${log} is empty.` : `The end of ${log}:\n${tail}`;
  return new CliError(
    'WorkersUnreachable',
    `The ${role} worker does not come up. ${lines}\nCheck this machine with \`sticflow doctor\`.`,
    EXIT.unreachable,
  );
}

export function scenesNotBuilt(python: string, output: string): CliError {
  const tail = output.trimEnd().split('\n').slice(-5).join('\n');
  return new CliError(
    'ScenesNotRendered',
    `Expected ${python} to render the embedded world, it failed:\n${tail}\nSet the Python environment up with \`npm run bootstrap\`.`,
    EXIT.unreachable,
  );
}

export function noWorkersNote(): string {
  return 'No orchestrator worker answers; the run waits and loses nothing. Start workers with `sticflow up`, or `sticflow worker --role orchestrator` on the machine that runs them.';
}

export function serverAwayNote(): string {
  return `The Temporal server does not answer; trying again. ${START_SERVER}`;
}

/** `roles` have no worker that polls. */
export function missingWorkersNote(roles: readonly string[]): string {
  const commands = roles.map((role) => `\`sticflow worker --role ${role}\``).join(', ');
  return `No worker polls for: ${roles.join(', ')}. The run waits there until one does. Start ${commands}.`;
}

export function unknownRun(run: string, known: readonly string[]): CliError {
  const hint =
    known.length === 0
      ? 'No run was started in this workspace yet.'
      : `Runs of this workspace: ${known.slice(0, 10).join(', ')}.`;
  return new CliError('RunNotFound', `Expected the id of a run, got "${run}". ${hint}`, EXIT.usage);
}

export function noRuns(): CliError {
  return new CliError(
    'RunNotFound',
    'No run was started in this workspace yet. Start one with `sticflow run scenes`, or name another workspace with --workspace.',
    EXIT.usage,
  );
}

export function runIsOver(run: string, ending: string, verb: string): CliError {
  return new CliError(
    'Refused',
    `Expected a run that is under way, got ${run}, which is ${ending}: there is nothing to ${verb}.`,
    EXIT.refused,
  );
}

export function runNotOver(run: string): CliError {
  return new CliError(
    'Refused',
    `Expected a run that failed or was cancelled, got ${run}, which is under way. Watch it with \`sticflow watch ${run}\`.`,
    EXIT.refused,
  );
}

/** A run that failed: type and sentence of the first failure. */
export function runFailed(run: string, error: unknown): CliError {
  const { type, message } = failureOf(error);
  return new CliError(
    type,
    `Run ${run} failed with ${type}: ${message}\nWhen the cause is gone, \`sticflow retry ${run}\` goes on from what is finished.`,
    EXIT.failed,
  );
}

export function runCancelled(run: string): CliError {
  return new CliError(
    'Cancelled',
    `Run ${run} was cancelled. \`sticflow retry ${run}\` goes on from what is finished.`,
    EXIT.cancelled,
  );
}

/** Ctrl-C ends the watching, never the run. */
export function detached(run: string): string {
  return `Left run ${run}, which goes on. Watch it with \`sticflow watch ${run}\`, end it with \`sticflow cancel ${run}\`.`;
}

/** Ctrl-C in the demo, which takes its server and workers along. */
export function detachedDemo(): string {
  return 'Left the demo; its server and workers stop. The same command goes on where it was.';
}

export function runCompleted(run: string): CliError {
  return new CliError(
    'Refused',
    `Expected a run that failed or was cancelled, or an evaluation whose judge has left answers out, got ${run}, which is completed: nothing is left to do. See it with \`sticflow result ${run}\`.`,
    EXIT.refused,
  );
}

/** A run that another client started: only that client has its config. */
export function noRunFile(run: string): CliError {
  return new CliError(
    'RunNotFound',
    `Run ${run} was not started from this workspace, so its config is not here. Start it again where it was started, or with \`sticflow run CONFIG\`.`,
    EXIT.usage,
  );
}

export function noStatusYet(run: string): CliError {
  return new CliError(
    'NoWorkers',
    `No worker answers for run ${run}, and it has no report yet. Start server and workers with \`sticflow up\`.`,
    EXIT.unreachable,
  );
}

export function noReport(run: string): CliError {
  return new CliError(
    'ReportNotFound',
    `Run ${run} has no report in this workspace yet: it is written after each round. See how far it is with \`sticflow status ${run}\`.`,
    EXIT.usage,
  );
}

export function cannotOpen(program: string, file: string): CliError {
  return new CliError(
    'CannotOpen',
    `\`${program}\` could not open ${file}. Open it in a browser yourself.`,
    EXIT.failed,
  );
}

/** @param why - a clause */
export function describeFailed(error: unknown): unknown {
  if (!(error instanceof WorkflowFailedError)) return error;
  const { type, message } = failureOf(error);
  return new CliError(type, `The image could not be described, ${type}: ${message}`, EXIT.failed);
}

export function cancelIsSlow(run: string): string {
  return `Run ${run} is being cancelled; a training writes its checkpoint first. See \`sticflow status ${run}\`.`;
}

export function workerEnded(role: string, code: number | null): CliError {
  const how = code === null ? 'was killed' : `ended with exit code ${String(code)}`;
  return new CliError(
    'WorkersUnreachable',
    `The ${role} worker ${how}; its own words are above. Check this machine with \`sticflow doctor\`.`,
    EXIT.unreachable,
  );
}

function plain(code: string, message: string, exitCode: ExitCode): Complaint {
  return { code, message, exitCode, details: null };
}

/** What only another input mends is wrong usage; what lies in the workspace is out of reach. */
function exitCodeOf(error: SticflowError): ExitCode {
  switch (error.code) {
    case 'ArtifactMissing':
    case 'ArtifactDamaged':
    case 'DiskFull':
      return EXIT.unreachable;
    case 'ConfigInvalid':
    case 'SourceNotFound':
    case 'ModelInvalid':
    case 'DataInvalid':
      return EXIT.usage;
    default:
      return EXIT.failed;
  }
}
