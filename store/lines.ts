/** JSONL: one canonical JSON value a line, read back through a schema. */
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { z } from 'zod';
import { canonicalJson } from './canonical.ts';
import { SticflowError } from './errors.ts';

/** Writes one line a record in canonical JSON; returns the number of lines. */
export async function writeLines(
  path: string,
  records: Iterable<unknown> | AsyncIterable<unknown>,
): Promise<number> {
  const file = createWriteStream(path);
  // An error before the first wait (no such folder) would otherwise be nobody's.
  const done = finished(file);
  done.catch(() => undefined);
  let count = 0;
  for await (const record of records) {
    if (!file.write(`${canonicalJson(record)}\n`)) await Promise.race([once(file, 'drain'), done]);
    count += 1;
  }
  file.end();
  await done;
  return count;
}

/**
 * Reads the lines of a file through a schema, one at a time.
 *
 * @throws SticflowError `DataInvalid` naming `file:line` at the first line that does not fit.
 */
export async function* readLines<S extends z.ZodType>(
  path: string,
  schema: S,
): AsyncGenerator<z.output<S>, void, undefined> {
  const file = createReadStream(path, 'utf8');
  // An error before readline listens would otherwise be nobody's.
  await once(file, 'open');
  const lines = createInterface({ input: file, crlfDelay: Number.POSITIVE_INFINITY });
  let line = 0;
  try {
    for await (const text of lines) {
      line += 1;
      yield parseJson(text, schema, `${basename(path)}:${line}`);
    }
  } finally {
    lines.close();
    file.destroy();
  }
}

/**
 * Parses JSON text through a schema.
 *
 * @throws SticflowError `DataInvalid` that starts with `place`.
 */
export function parseJson<S extends z.ZodType>(
  text: string,
  schema: S,
  place: string,
): z.output<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SticflowError('DataInvalid', `${place}: expected JSON, got ${excerpt(text)}`, {
      cause,
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new SticflowError('DataInvalid', `${place}: ${z.prettifyError(parsed.error)}`);
}

function excerpt(text: string): string {
  return text.length > 80 ? `"${text.slice(0, 80)}..."` : `"${text}"`;
}
