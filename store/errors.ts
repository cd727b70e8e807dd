/** The one error class of expected failures; activities translate it for Temporal, the CLI prints it. */
import type { FailureCode } from '../contract/failures.ts';
import type { JsonObject } from './canonical.ts';

interface SticflowErrorOptions extends ErrorOptions {
  /** Small facts for programs: names, counts, limits. */
  readonly details?: JsonObject;
}

/** A failure that the contract names; `message` is a sentence for a stranger. */
export class SticflowError extends Error {
  override readonly name = 'SticflowError';
  readonly code: FailureCode;
  readonly details: JsonObject;

  constructor(
    code: FailureCode,
    message: string,
    { details = {}, cause }: SticflowErrorOptions = {},
  ) {
    super(message, { cause });
    this.code = code;
    this.details = details;
  }
}

/** True for errors of the operating system with that code, such as `ENOENT`. */
export function hasErrorCode(error: unknown, ...codes: readonly string[]): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    codes.includes(error.code)
  );
}
