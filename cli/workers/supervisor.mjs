// @ts-check
// Parent process of the local workers: starts one process a role, starts it again when it dies, ends all when told to
// or when whoever started us is gone. A program of its own, because a starter that is killed with SIGKILL
// cannot clean up, and plain JavaScript, because it must also run from the source tree.
//
// Argument: JSON {main, roles, state_path, log_folder}. Our environment is the workers'. stdin is the lifeline: its
// end ends the workers, unless SIGUSR2 cut the line before.
import { spawn } from 'node:child_process';
import { openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A training writes a checkpoint before it ends; a large one takes a while. */
const STOP_MILLISECONDS = 120_000;

/** A worker that lived this long had started: its next death counts as the first. */
const STARTED_MILLISECONDS = 30_000;

/** A worker that cannot start (no server, no memory) is tried for ever, but not in a hurry. */
const FIRST_RESTART_MILLISECONDS = 200;
const MAX_RESTART_MILLISECONDS = 5_000;

/** @type {{main: string, roles: string[], state_path: string, log_folder: string}} */
const plan = JSON.parse(process.argv[2] ?? '');

/** @type {Map<string, import('node:child_process').ChildProcess>} */
const workers = new Map();
/** @type {Map<string, number>} */
const deaths = new Map();
let stopping = false;
let kept = false;

for (const role of plan.roles) start(role);

/** @param {string} role */
function start(role) {
  const startedAt = performance.now();
  const log = openSync(join(plan.log_folder, `worker-${role}.log`), 'a', 0o600);
  // A group of its own: Ctrl-C in the starter's terminal is for the starter to understand. Its stdin is a pipe from us,
  // so that it can tell when we are gone.
  const worker = spawn(process.execPath, [plan.main, '--role', role], {
    detached: true,
    stdio: ['pipe', log, log],
  });
  worker.stdin?.on('error', () => undefined);
  worker.on('error', (error) => writeSync(log, `supervisor: ${error.message}\n`));
  worker.on('close', (code, signal) => {
    workers.delete(role);
    if (stopping) return endWhenAllEnded();
    const lived = performance.now() - startedAt;
    const count = lived < STARTED_MILLISECONDS ? (deaths.get(role) ?? 0) + 1 : 1;
    deaths.set(role, count);
    const delay = Math.min(FIRST_RESTART_MILLISECONDS * 2 ** (count - 1), MAX_RESTART_MILLISECONDS);
    writeSync(log, `supervisor: worker ended (${code ?? signal}), again in ${delay} ms\n`);
    setTimeout(() => (stopping ? undefined : start(role)), delay);
    writeState();
  });
  workers.set(role, worker);
  writeState();
}

function writeState() {
  const roles = Object.fromEntries([...workers].map(([role, { pid }]) => [role, pid]));
  const temporary = `${plan.state_path}.${String(process.pid)}`;
  writeFileSync(temporary, `${JSON.stringify({ supervisor_pid: process.pid, workers: roles })}\n`, {
    mode: 0o600,
  });
  renameSync(temporary, plan.state_path);
}

function stop() {
  if (stopping) return;
  stopping = true;
  for (const worker of workers.values()) worker.kill('SIGTERM');
  setTimeout(() => {
    for (const worker of workers.values()) worker.kill('SIGKILL');
  }, STOP_MILLISECONDS).unref();
  endWhenAllEnded();
}

function endWhenAllEnded() {
  if (workers.size > 0) return;
  rmSync(plan.state_path, { force: true });
  process.exit(0);
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
