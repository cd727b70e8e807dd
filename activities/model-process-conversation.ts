/**
 * What is said between a worker and one model process: a hello, then requests one after another.
 * Every way a request can end without a result is told apart here, and ends the process.
 */
import { z } from 'zod';
import { PROTOCOL_VERSION } from '../contract/api.ts';
import { FAILURES, type FailureCode } from '../contract/failures.ts';
import {
  type ErrorMessage,
  ModelProcessMessage,
  type ModelProcessRequest,
  type ResultMessage,
} from '../contract/model-process.ts';
import { SticflowError } from '../store/errors.ts';
import type { ChildEvent, Exit, ModelProcessChild } from './model-process-child.ts';

/** Read apart from the other messages: another version may say hello in another shape. */
const AnyHello = z.looseObject({ type: z.literal('hello'), protocol_version: z.int() });

export interface ConversationOptions {
  /** Aborting ends the process and rejects with the signal's own reason. */
  readonly signal: AbortSignal;
  /** Milliseconds without a progress message after which the process counts as hung. */
  readonly stallTimeoutMs: number;
  /** Hears what is said about the request, the result included. */
  readonly onMessage?: (message: ModelProcessMessage) => void;
}

export interface Graces {
  /** Milliseconds between SIGTERM and SIGKILL: time to finish a step and save a checkpoint. */
  readonly stopGraceMs: number;
  /** Milliseconds that an idle process, or one that reported an error, gets to go. */
  readonly endGraceMs: number;
}

type Failed =
  | Exclude<ChildEvent, { type: 'message' }>
  | { readonly type: 'error'; readonly report: ErrorMessage }
  | { readonly type: 'stalled' }
  | { readonly type: 'aborted' };
type Outcome =
  | Failed
  | { readonly type: 'hello'; readonly protocolVersion: number }
  | { readonly type: 'result'; readonly result: ResultMessage };

type Understood = Exclude<ModelProcessMessage, { type: 'hello' }> | z.infer<typeof AnyHello>;

/**
 * Waits for the first message of a process.
 *
 * @throws SticflowError `ProtocolMismatch` when it speaks another version, else as {@link ask}.
 */
export async function greet(
  child: ModelProcessChild,
  options: ConversationOptions,
  graces: Graces,
): Promise<void> {
  const outcome = await listen(child, null, options);
  if (outcome.type === 'result') throw new Error('a result without a request was let through');
  if (outcome.type !== 'hello') throw await ended(child, outcome, options, graces);
  if (outcome.protocolVersion === PROTOCOL_VERSION) return;
  await child.kill();
  throw new SticflowError(
    'ProtocolMismatch',
    `Expected a model process of protocol version ${PROTOCOL_VERSION}, got ${outcome.protocolVersion}. Worker and python/sticflow_ml must come from the same release.`,
    { details: child.describe() },
  );
}

/**
 * Sends a request and waits for its result.
 *
 * @throws SticflowError with the code the process reported, `ModelProcessDied` or
 * `ModelProcessStalled`; the signal's reason when it was aborted. The process is gone then.
 */
export async function ask(
  child: ModelProcessChild,
  request: ModelProcessRequest,
  options: ConversationOptions,
  graces: Graces,
): Promise<ResultMessage> {
  const heard = listen(child, request.request_id, options);
  child.send(request);
  const outcome = await heard;
  if (outcome.type === 'hello') throw new Error('a second hello was let through');
  if (outcome.type === 'result') return outcome.result;
  throw await ended(child, outcome, options, graces);
}

/** Hears messages until one of the outcomes; `requestId` null = waiting for the hello. */
function listen(
  child: ModelProcessChild,
  requestId: string | null,
  { signal, stallTimeoutMs, onMessage }: ConversationOptions,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const settle = (outcome: Outcome): void => {
      clearTimeout(watchdog);
      signal.removeEventListener('abort', onAbort);
      child.listener = null;
      resolve(outcome);
    };
    const onAbort = (): void => {
      settle({ type: 'aborted' });
    };
    const onStall = (): void => {
      settle({ type: 'stalled' });
    };
    let watchdog = setTimeout(onStall, stallTimeoutMs);
    child.listener = (event): void => {
      if (event.type !== 'message') {
        settle(event);
        return;
      }
      const message = understood(child, event.json, requestId);
      if (message === null) return;
      if (message.type === 'progress') {
        clearTimeout(watchdog);
        watchdog = setTimeout(onStall, stallTimeoutMs);
      }
      if (message.type !== 'hello') onMessage?.(message);
      const outcome = outcomeOf(message);
      if (outcome !== null) settle(outcome);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else if (child.exit !== null) settle({ type: 'exit', exit: child.exit });
  });
}

/** The message, if it is one that somebody waits for; anything else goes to the log. */
function understood(
  child: ModelProcessChild,
  json: unknown,
  requestId: string | null,
): Understood | null {
  const hello = AnyHello.safeParse(json);
  if (hello.success && requestId === null) return hello.data;
  const parsed = ModelProcessMessage.safeParse(json);
  if (!parsed.success) {
    child.note(`not understood: ${excerpt(json)} (${z.prettifyError(parsed.error)})`);
    return null;
  }
  const message = parsed.data;
  const isAwaited =
    message.type !== 'hello' &&
    (message.type === 'error'
      ? message.request_id === null || message.request_id === requestId
      : message.request_id === requestId);
  if (isAwaited) return message;
  child.note(`nobody waits for: ${excerpt(json)}`);
  return null;
}

function outcomeOf(message: Understood): Outcome | null {
  switch (message.type) {
    case 'hello':
      return { type: 'hello', protocolVersion: message.protocol_version };
    case 'result':
      return { type: 'result', result: message };
    case 'error':
      return { type: 'error', report: message };
    case 'progress':
    case 'metric':
    case 'checkpoint':
    case 'notice':
      return null;
  }
}

/** Ends the process in the way its failure asks for, and returns what to throw. */
async function ended(
  child: ModelProcessChild,
  outcome: Failed,
  { signal, stallTimeoutMs }: ConversationOptions,
  { stopGraceMs, endGraceMs }: Graces,
): Promise<unknown> {
  switch (outcome.type) {
    case 'aborted':
      await child.terminate(stopGraceMs);
      // Temporal knows a cancelled attempt by this very object.
      return signal.reason;
    case 'error':
      // It goes by itself after an error; its stdin stays open, so that it can finish its log.
      await child.leave(endGraceMs);
      return reported(outcome.report, child);
    case 'stalled':
      await child.kill();
      return new SticflowError(
        'ModelProcessStalled',
        `The model process made no progress for ${stallTimeoutMs / 1000} s and was killed; the work goes on from what is finished.`,
        { details: child.describe() },
      );
    case 'exit':
      return new SticflowError('ModelProcessDied', deathSentence(outcome.exit, child), {
        details: { ...child.describe(), exit_code: outcome.exit.code, signal: outcome.exit.signal },
      });
    case 'broken':
      await child.kill();
      return new SticflowError(
        'Internal',
        `The model process broke the protocol: ${outcome.reason}`,
        { details: child.describe() },
      );
  }
}

function reported(report: ErrorMessage, child: ModelProcessChild): SticflowError {
  const details = { ...report.details, ...child.describe() };
  return isFailureCode(report.code)
    ? new SticflowError(report.code, report.message, { details })
    : new SticflowError('Internal', `${report.code}: ${report.message}`, { details });
}

function deathSentence({ code, signal }: Exit, child: ModelProcessChild): string {
  // 137 = 128 + 9, as shells and containers report a process that the kernel killed.
  const guess =
    signal === 'SIGKILL' || code === 137 ? ' It was killed, probably for lack of memory.' : '';
  const how = signal ?? `exit code ${String(code)}`;
  return `The model process ended without a result (${how}).${guess} The work goes on from what is finished; its log is logs/${child.logName}.`;
}

function isFailureCode(code: string): code is FailureCode {
  return Object.hasOwn(FAILURES, code);
}

function excerpt(json: unknown): string {
  return JSON.stringify(json).slice(0, 500);
}
