/** The one place where our errors become Temporal's: type = code, retry as the contract says. */
import { ApplicationFailure, TemporalFailure } from '@temporalio/common';
import { z } from 'zod';
import { FAILURES, type FailureCode, type FailureRule } from '../contract/failures.ts';
import { canonicalJson, type JsonObject } from '../store/canonical.ts';
import { hasErrorCode, SticflowError } from '../store/errors.ts';

// Failures lie in the history for ever and travel with every retry.
const MAX_MESSAGE_CHARACTERS = 4000;
const MAX_DETAILS_BYTES = 4096;

/**
 * Translates what an activity threw. Cancellation (and whatever else Temporal made) passes
 * untouched: the server accepts only its own reason for a cancelled attempt.
 */
export function toTemporalFailure(error: unknown): unknown {
  if (error instanceof TemporalFailure) return error;
  if (error instanceof SticflowError) {
    return failure(error.code, error.message, { details: error.details, cause: error });
  }
  if (error instanceof z.ZodError) {
    return failure('DataInvalid', z.prettifyError(error), { cause: error });
  }
  if (hasErrorCode(error, 'ENOSPC', 'EDQUOT')) {
    const message = 'The disk of this worker is full. Free some space; the work goes on by itself.';
    return failure('DiskFull', message, { cause: asError(error) });
  }
  const cause = asError(error);
  return failure('Internal', cause.message, { cause });
}

/** Wraps every activity of an object so that it throws nothing but Temporal's failures. */
export function translateErrors<A extends object>(activities: A): A {
  const wrapped = Object.entries(activities).map(([name, activity]: [string, unknown]) => {
    if (typeof activity !== 'function') throw new TypeError(`${name} is not a function`);
    return [
      name,
      async (...input: unknown[]): Promise<unknown> => {
        try {
          return (await Reflect.apply(activity, activities, input)) as unknown;
        } catch (error) {
          throw toTemporalFailure(error);
        }
      },
    ] as const;
  });
  // Same names, inputs and outputs; only what is thrown differs.
  return Object.fromEntries(wrapped) as A;
}

function failure(
  code: FailureCode,
  message: string,
  { details = {}, cause }: { details?: JsonObject; cause: Error },
): ApplicationFailure {
  const rule: FailureRule = FAILURES[code];
  return ApplicationFailure.create({
    message: message.slice(0, MAX_MESSAGE_CHARACTERS),
    type: code,
    nonRetryable: !rule.retryable,
    ...(rule.nextRetryDelayMs === null ? {} : { nextRetryDelay: rule.nextRetryDelayMs }),
    details: [bounded(details)],
    cause,
  });
}

/** Drops the largest fields until the rest fits. */
function bounded(details: JsonObject): JsonObject {
  const fields = Object.entries(details).map(([key, value]) => ({
    key,
    value,
    size: Buffer.byteLength(canonicalJson({ [key]: value })),
  }));
  fields.sort((a, b) => a.size - b.size);
  let budget = MAX_DETAILS_BYTES;
  const kept = fields.filter(({ size }) => {
    budget -= size;
    return budget >= 0;
  });
  return Object.fromEntries(kept.map(({ key, value }) => [key, value]));
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
