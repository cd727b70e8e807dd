/** Reads the names out of a list of images: `.json`, `.jsonl` or `.txt`, strings or objects with `image`. */
import { basename, extname } from 'node:path';
import { z } from 'zod';
import type { QuarantineRecord } from '../contract/records.ts';
import { SticflowError } from '../store/errors.ts';
import { type JsonElement, readJsonElements } from './json-elements.ts';
import { leftOut } from './quarantine.ts';

const Entry = z.union([
  z.string(),
  z.object({ image: z.string() }).transform(({ image }) => image),
]);

/**
 * The names, in the order of the list; an entry that names nothing is a quarantine record.
 *
 * @throws SticflowError `DataInvalid` when the file is no list.
 */
export async function* readImageNames(
  path: string,
): AsyncGenerator<string | QuarantineRecord, void, undefined> {
  const extension = extname(path).toLowerCase();
  if (!['.json', '.jsonl', '.txt'].includes(extension)) {
    throw new SticflowError(
      'DataInvalid',
      `Expected a list of images to be named .json, .jsonl or .txt, got "${basename(path)}".`,
    );
  }
  for await (const element of readJsonElements(path)) {
    yield extension === '.txt' ? element.bytes.toString('utf8').trimEnd() : nameOf(element, path);
  }
}

function nameOf({ bytes, index }: JsonElement, path: string): string | QuarantineRecord {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    value = undefined;
  }
  const entry = Entry.safeParse(value);
  if (entry.success) return entry.data;
  return leftOut(
    `${basename(path)}#${index}`,
    'malformed_record',
    `expected a name or an object with "image", got ${bytes.toString('utf8').slice(0, 100)}`,
  );
}
