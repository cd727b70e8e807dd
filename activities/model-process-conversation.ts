/** One request and its messages, up to the result, the error or the end of the process. */
import { PROTOCOL_VERSION } from '../contract/api.ts';
import { FAILURES, type FailureCode } from '../contract/failures.ts';
import {
  type ErrorMessage,
  ModelProcessMessage,
  type ModelProcessRequest,
  type ResultMessage,
} from '../contract/model-process.ts';
import { SticflowError } from '../store/errors.ts';
import type { Exit, ModelProcessChild } from './model-process-child.ts';

export interface ConversationOptions {
  readonly signal: AbortSignal;
  /** Milliseconds without any sign of work after which the process counts as hanging. */
  readonly stallTimeoutMs: number;
  readonly onMessage: (message: ModelProcessMessage) => void;
}

/** Exit code of a process that the kernel ended, as a shell reports it: most often out of memory. */
const KILLED = 137;

/**
 * Sends a request and waits for its result.
 *
 * @throws SticflowError with the code the process named, `ModelProcessStalled`, `ModelProcessDied`
 * or `ProtocolMismatch`; the reason of the signal when that is aborted. After a throw the
 * process must be ended.
 */
export async function converse(
  child: ModelProcessChild,
  request: ModelProcessRequest,
  { signal, stallTimeoutMs, onMessage }: ConversationOptions,
): Promise<ResultMessage> {
  signal.throwIfAborted();
  const outcome = withResolvers<ResultMessage>();
  const stalled = (): void => {
    outcome.reject(stall(request, stallTimeoutMs, child));
  };
  let watchdog = setTimeout(stalled, stallTimeoutMs);
  const onAbort = (): void => {
    outcome.reject(signal.reason);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  child.listener = (event) => {
    clearTimeout(watchdog);
    watchdog = setTimeout(stalled, stallTimeoutMs);
    if ('broken' in event) {
      outcome.reject(died(child, event.broken));
      return;
    }
    const parsed = ModelProcessMessage.safeParse(event.json);
    if (!parsed.success) {
      child.note(`unknown message: ${JSON.stringify(event.json).slice(0, 500)}`);
      return;
    }
    const message = parsed.data;
    if (message.type === 'hello') {
      if (message.protocol_version !== PROTOCOL_VERSION) {
        outcome.reject(mismatch(message.protocol_version));
      }
      return;
    }
    onMessage(message);
    if (message.type === 'result') outcome.resolve(message);
    if (message.type === 'error') outcome.reject(reported(message, child));
  };
  void child.exited.then((exit) => {
    outcome.reject(died(child, describeExit(exit)));
  });
  child.send(request);
  try {
    return await outcome.promise;
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener('abort', onAbort);
    child.listener = null;
  }
}

function reported(message: ErrorMessage, child: ModelProcessChild): SticflowError {
  const code = isFailureCode(message.code) ? message.code : 'Internal';
  return new SticflowError(code, message.message, {
    details: { ...message.details, ...child.describe() },
  });
}

function isFailureCode(code: string): code is FailureCode {
  return code in FAILURES;
}

function stall(
  request: ModelProcessRequest,
  timeoutMs: number,
  child: ModelProcessChild,
): SticflowError {
  return new SticflowError(
    'ModelProcessStalled',
    `The model process did no work on ${request.command} for ${String(timeoutMs / 1000)} s and was killed; the work goes on from what is finished.`,
    { details: child.describe() },
  );
}

function died(child: ModelProcessChild, why: string): SticflowError {
  return new SticflowError(
    'ModelProcessDied',
    `The model process ended without a result (${why}); the work goes on from what is finished. Its log: ${child.logFile.split('/').slice(-2).join('/')}.`,
    { details: child.describe() },
  );
}

function describeExit({ code, signal }: Exit): string {
  if (signal === 'SIGKILL' || code === KILLED) return 'killed: probably out of memory';
  return signal ?? `exit code ${String(code)}`;
}

function mismatch(version: number): SticflowError {
  return new SticflowError(
    'ProtocolMismatch',
    `Expected a model process of protocol version ${String(PROTOCOL_VERSION)}, got ${String(version)}. Worker and python/sticflow_ml must come from the same release.`,
  );
}

/** `Promise.withResolvers` needs Node 22. */
function withResolvers<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (reason: unknown) => void;
} {
  let resolve: (value: T) => void = () => undefined;
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<T>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  // A process that dies after its result must not end the worker with an unhandled rejection.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
