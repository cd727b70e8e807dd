/** First look at an input that a person may have typed. What it holds is checked by activities. */
import { ApplicationFailure } from '@temporalio/workflow';

interface Fields {
  readonly workflow: string;
  readonly required: readonly string[];
  readonly optional?: readonly string[];
}

/** Fails the workflow, not just its task, when fields are missing or unknown. */
export function requireFields(
  input: unknown,
  { workflow, required, optional = [] }: Fields,
): asserts input is Record<string, unknown> {
  const expected = `${workflow} expects one JSON object with ${list(required)}`;
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw invalid(`${expected}; got ${kindOf(input)}.`);
  }
  const names = Object.keys(input);
  const unknown = names.filter((name) => ![...required, ...optional].includes(name));
  if (unknown.length > 0) throw invalid(`${expected}; it has no ${list(unknown)}.`);
  const missing = required.filter((name) => !names.includes(name));
  if (missing.length > 0) throw invalid(`${expected}; ${list(missing)} is missing.`);
}

/** A failure that only whoever started the workflow can mend. */
export function invalid(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, 'ConfigInvalid');
}

function list(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
