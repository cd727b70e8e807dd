/** Makes a namespace ready for runs: search attributes registered, closed runs kept. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { SEARCH_ATTRIBUTES } from '../../contract/api.ts';
import { TemporalServerError } from './errors.ts';

/** temporal.api.enums.v1.IndexedValueType */
const VALUE_TYPES = { Keyword: 2, Int: 3, Double: 4 } as const;

/** gRPC status codes of "you may not" and "no such call here" (Temporal Cloud has no operator service). */
const NOT_ALLOWED = [7, 12, 16];

const NOT_FOUND = 5;

/** The dev server forgets closed runs after 24 hours unless told otherwise. */
const RETENTION_SECONDS = 90 * 24 * 3600;

/** SQL visibility serves a new attribute after its cache has turned over. */
const VISIBLE_WITHIN_MILLISECONDS = 30_000;

const POLL_MILLISECONDS = 100;

interface Place {
  readonly connection: Connection;
  readonly namespace: string;
  /** As the user knows it, for sentences. */
  readonly address: string;
}

/**
 * Registers the search attributes that are missing.
 * @throws {@link TemporalServerError} when they may not be added, or exist with another type
 */
export async function registerSearchAttributes(place: Place): Promise<void> {
  const missing = missingAttributes(await listAttributes(place), place);
  if (missing.length === 0) return;
  const searchAttributes = Object.fromEntries(
    missing.map(({ name, type }) => [name, VALUE_TYPES[type]]),
  );
  try {
    await place.connection.operatorService.addSearchAttributes({
      namespace: place.namespace,
      searchAttributes,
    });
  } catch (error) {
    if (!hasStatus(error, NOT_ALLOWED)) throw error;
    throw notAllowed(missing, place, error);
  }
  const deadline = performance.now() + VISIBLE_WITHIN_MILLISECONDS;
  while (missingAttributes(await listAttributes(place), place).length > 0) {
    if (performance.now() > deadline) {
      throw new TemporalServerError(
        `The Temporal server at ${place.address} accepted the search attributes but does not list them yet: run the same command again.`,
      );
    }
    await delay(POLL_MILLISECONDS);
  }
}

type Attribute = (typeof SEARCH_ATTRIBUTES)[keyof typeof SEARCH_ATTRIBUTES];

async function listAttributes({ connection, namespace, address }: Place) {
  try {
    const listed = await connection.operatorService.listSearchAttributes({ namespace });
    return listed.customAttributes;
  } catch (error) {
    if (hasStatus(error, [NOT_FOUND])) {
      throw new TemporalServerError(
        `Expected a namespace "${namespace}" on the Temporal server at ${address}, found none: create it (temporal operator namespace create -n ${namespace}) or set TEMPORAL_NAMESPACE.`,
        { cause: error },
      );
    }
    if (hasStatus(error, NOT_ALLOWED)) {
      throw notAllowed(Object.values(SEARCH_ATTRIBUTES), { connection, namespace, address }, error);
    }
    throw error;
  }
}

function missingAttributes(
  listed: Readonly<Record<string, number>>,
  place: Place,
): readonly Attribute[] {
  return Object.values(SEARCH_ATTRIBUTES).filter(({ name, type }) => {
    const got = listed[name];
    if (got !== undefined && got !== VALUE_TYPES[type]) {
      throw new TemporalServerError(
        `Expected the search attribute ${name} of namespace "${place.namespace}" at ${place.address} to be of type ${type}, it is of another type: rename or remove it there, or use another namespace (TEMPORAL_NAMESPACE).`,
      );
    }
    return got === undefined;
  });
}

function notAllowed(missing: readonly Attribute[], place: Place, cause: unknown) {
  const flags = missing.map(({ name, type }) => `--name ${name} --type ${type}`).join(' ');
  return new TemporalServerError(
    `The Temporal server at ${place.address} does not let this identity read or add search attributes: have an administrator of namespace "${place.namespace}" run \`temporal operator search-attribute create -n ${place.namespace} ${flags}\`.`,
    { cause },
  );
}

function hasStatus(error: unknown, codes: readonly number[]): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'number' &&
    codes.includes(error.code)
  );
}

/** Keeps closed runs for 90 days; only for the embedded server, whose namespace is ours to set. */
export async function keepClosedRuns(connection: Connection, namespace: string): Promise<void> {
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  if (Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) === RETENTION_SECONDS) return;
  await connection.workflowService.updateNamespace({
    namespace,
    config: { workflowExecutionRetentionTtl: msToTs(RETENTION_SECONDS * 1000) },
  });
}
