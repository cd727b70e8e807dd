/** How every role starts and ends: one log, one connection, one worker, then until told to stop. */
import { DefaultLogger, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import pino from 'pino';
import type { WorkerRole } from '../contract/api.ts';
import { connect } from './connect.ts';

export interface RoleWorker {
  readonly options: Omit<WorkerOptions, 'connection' | 'namespace'>;
  /** Runs when the worker has stopped. */
  readonly close: () => Promise<void>;
}

/** Activities are told to stop at once: they have a way to go on later, and Ctrl-C should not hang. */
const SHUTDOWN_GRACE = '0s';
/** Longer than the model process may take to write a checkpoint (activities/model-process.ts). */
const SHUTDOWN_FORCE = '60s';

/** Polls until SIGTERM, SIGINT or the end of stdin; prints one line of JSON when it is ready. */
export async function serve(role: WorkerRole, { options, close }: RoleWorker): Promise<void> {
  installRuntime();
  const { connection, namespace } = await connect();
  try {
    const worker = await Worker.create({
      ...options,
      connection,
      namespace,
      shutdownGraceTime: SHUTDOWN_GRACE,
      shutdownForceTime: SHUTDOWN_FORCE,
    });
    stopWithStdin(worker);
    process.stdout.write(`${JSON.stringify({ ready: true, role })}\n`);
    await worker.run();
  } finally {
    await close();
    await connection.close();
    // The lifeline would keep the process alive for as long as its owner holds the pipe.
    process.stdin.destroy();
  }
}

/** Logs go to stderr: stdout is for the one line that says ready. */
function installRuntime(): void {
  const log = pino({ level: process.env['STICFLOW_LOG_LEVEL'] ?? 'info' }, pino.destination(2));
  const logger = new DefaultLogger('DEBUG', ({ level, message, meta }) => {
    const facts = meta ?? {};
    switch (level) {
      case 'TRACE':
        log.trace(facts, message);
        break;
      case 'DEBUG':
        log.debug(facts, message);
        break;
      case 'INFO':
        log.info(facts, message);
        break;
      case 'WARN':
        log.warn(facts, message);
        break;
      case 'ERROR':
        log.error(facts, message);
        break;
    }
  });
  Runtime.install({ logger });
}

/** stdin is the lifeline where its owner holds a pipe: a killed owner leaves no worker behind. */
function stopWithStdin(worker: Worker): void {
  if (process.stdin.isTTY) return;
  process.stdin.on('end', () => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
  });
  process.stdin.on('error', () => undefined);
  process.stdin.resume();
}
