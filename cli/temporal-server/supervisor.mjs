// @ts-check
// Parent process of the embedded Temporal server: starts it, starts it again when it dies, ends it when told to or
// when whoever started us is gone. A program of its own, because a starter that is killed with SIGKILL cannot
// clean up, and plain JavaScript, because it must also run from the source tree.
//
// Argument: JSON {file, args, state_path, log_path, state}. `state` is written to state_path with the process
// ids after each start. stdin is the lifeline: its end ends the server, unless SIGUSR2 cut the line before.
import { spawn } from 'node:child_process';
import { openSync, renameSync, writeFileSync } from 'node:fs';

/** SQLite writes and long polls end within a second or two; what takes longer hangs. */
const STOP_MILLISECONDS = 10_000;

/** A server that lived this long had started; its death is news, not a refusal to start. */
const STARTED_MILLISECONDS = 10_000;

/**
 * Refusals in a row (port taken, file broken) after which there is no point in trying again. More than a few, since a
 * server that is killed time and again within its first seconds looks the same and has to come back.
 */
const MAX_REFUSALS = 10;

const RESTART_MILLISECONDS = 200;

/** @type {{file: string, args: string[], state_path: string, log_path: string, state: object}} */
const plan = JSON.parse(process.argv[2] ?? '');
const log = openSync(plan.log_path, 'a', 0o600);

let stopping = false;
let kept = false;
let refusals = 0;
let server = start();

function start() {
  const startedAt = performance.now();
  // A group of its own: Ctrl-C in the starter's terminal is for the starter to understand.
  const child = spawn(plan.file, plan.args, { stdio: ['ignore', log, log], detached: true });
  child.on('error', (error) => {
    writeFileSync(log, `supervisor: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', () => {
    if (stopping) end(0);
    refusals = performance.now() - startedAt < STARTED_MILLISECONDS ? refusals + 1 : 0;
    if (refusals >= MAX_REFUSALS) end(1);
    setTimeout(() => {
      if (stopping) end(0);
      server = start();
    }, RESTART_MILLISECONDS);
  });
  writeState({ ...plan.state, pid: child.pid, supervisor_pid: process.pid });
  return child;
}

/** @param {object} state */
function writeState(state) {
  const temporary = `${plan.state_path}.${String(process.pid)}`;
  writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, plan.state_path);
}

/** @param {number} code */
function end(code) {
  // The ports stay on record, so that addresses people have noted stay right after a restart.
  writeState(plan.state);
  process.exit(code);
}

function stop() {
  if (stopping) return;
  stopping = true;
  server.kill('SIGTERM');
  setTimeout(() => server.kill('SIGKILL'), STOP_MILLISECONDS);
  if (server.exitCode !== null || server.signalCode !== null) end(0);
}

process.on('SIGTERM', stop);
process.on('SIGINT', stop);
process.on('SIGHUP', () => undefined);
process.on('SIGUSR2', () => {
  kept = true;
});
process.stdin.on('error', () => undefined);
process.stdin.on('close', () => {
  if (!kept) stop();
});
process.stdin.resume();
