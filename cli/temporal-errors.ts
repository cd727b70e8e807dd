/** Which of its many errors the Temporal client threw; nothing matches on message text. */
import {
  isGrpcDeadlineError,
  isGrpcServiceError,
  QueryRejectedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { ApplicationFailure, TemporalFailure } from '@temporalio/common';

/** Codes of gRPC (grpc/grpc, doc/statuscodes.md). */
const UNAVAILABLE = 14;
/**
 * What a server answers to a query that it could not bring to a worker just now: cancelled, unknown,
 * resource exhausted, failed precondition, aborted, internal. None says anything about the run.
 */
const QUERY_STATUSES = [1, 2, 8, 9, 10, 13];

/** The server does not answer at all. */
export function isUnreachable(error: unknown): boolean {
  return causes(error).some((cause) => hasStatus(cause, UNAVAILABLE));
}

/** The server is there, but no worker has answered a query in time. */
export function isQueryUnanswered(error: unknown): boolean {
  return (
    isGrpcDeadlineError(error) ||
    error instanceof QueryRejectedError ||
    causes(error).some((cause) => QUERY_STATUSES.some((status) => hasStatus(cause, status)))
  );
}

/** No such workflow, or it is over and takes no more messages. */
export function isNotFound(error: unknown): boolean {
  return error instanceof WorkflowNotFoundError;
}

/** What the validator of an update said; null when the error is another one. */
export function refusalOf(error: unknown): string | null {
  return error instanceof WorkflowUpdateFailedError ? innermost(error).message : null;
}

/** The failure that started it all: type and sentence, without stacks and wrappers. */
export function failureOf(error: unknown): { type: string; message: string } {
  const failures = causes(error).filter((cause) => cause instanceof TemporalFailure);
  const application = failures.findLast((cause) => cause instanceof ApplicationFailure);
  const last = application ?? innermost(error);
  const type = last instanceof ApplicationFailure ? (last.type ?? last.name) : last.name;
  return { type, message: last.message };
}

function hasStatus(error: Error, status: number): boolean {
  if (!isGrpcServiceError(error)) return false;
  const code: number = error.code;
  return code === status;
}

function innermost(error: unknown): Error {
  return causes(error).at(-1) ?? new Error(String(error));
}

function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  let next = error;
  while (next instanceof Error && !chain.includes(next)) {
    chain.push(next);
    next = next.cause;
  }
  return chain;
}
