/**
 * Files that grow by one record at a time and survive a kill: what was appended is on the disk before
 * the next step is taken. Half a record at the end, of a process that died in it, is passed over.
 */
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { canonicalJson } from './canonical.ts';
import { hasErrorCode } from './errors.ts';

const NEWLINE = 0x0a;

/** Appends one line and flushes it; makes the folder. Several processes may append at once. */
export async function appendRecord(path: string, record: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'a+');
  try {
    const { size } = await file.stat();
    const last = Buffer.alloc(1, NEWLINE);
    if (size > 0) await file.read(last, 0, 1, size - 1);
    // One write, so that lines of two processes do not mix.
    await file.write(`${last[0] === NEWLINE ? '' : '\n'}${canonicalJson(record)}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/**
 * Records in their order; none when there is no file. A line that is not of the schema was cut by a
 * kill: what it stood for is done again, which is why it may be passed over.
 */
export async function readRecords<S extends z.ZodType>(
  path: string,
  schema: S,
): Promise<z.output<S>[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
  return text.split('\n').flatMap((line) => {
    const parsed = schema.safeParse(jsonOrNothing(line));
    return parsed.success ? [parsed.data] : [];
  });
}

function jsonOrNothing(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
