/** Reads users' benchmark files: JSON, JSON lines and tab-separated tables. Literal parsers only. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { ScoreInputError } from './scorer.ts';

/** @throws ScoreInputError when the file is missing, no JSON, or not of the schema. */
export async function readJsonFile<S extends z.ZodType>(
  path: string,
  schema: S,
): Promise<z.infer<S>> {
  return check(parseJson(await readText(path), path), schema, path);
}

/** One value a line; empty lines are passed over. @throws ScoreInputError with the line's number. */
export async function readJsonLines<S extends z.ZodType>(
  path: string,
  schema: S,
): Promise<z.infer<S>[]> {
  const rows: z.infer<S>[] = [];
  (await readText(path)).split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    const place = `${path}:${String(index + 1)}`;
    rows.push(check(parseJson(line, place), schema, place));
  });
  return rows;
}

export type TableRow = ReadonlyMap<string, string>;

/**
 * A tab-separated table with a header, cells quoted by `"` as spreadsheets do. Empty cells are left
 * out of the row. @throws ScoreInputError when a column of `required` is missing.
 */
export async function readTable(path: string, required: readonly string[]): Promise<TableRow[]> {
  const [header = [], ...rows] = parseTable(await readText(path));
  const missing = required.filter((name) => !header.includes(name));
  if (missing.length > 0) {
    throw new ScoreInputError(
      `Expected columns ${required.join(', ')} in ${path}, got ${header.join(', ') || 'none'}. Is it tab-separated with a header line?`,
    );
  }
  return rows.map(
    (cells) =>
      new Map(
        header.flatMap((name, column) => {
          const cell = cells[column] ?? '';
          return cell === '' ? [] : [[name, cell] as const];
        }),
      ),
  );
}

/**
 * The one file of the folder whose name fits. @throws ScoreInputError when there is none, or more.
 */
export async function findFile(folder: string, name: RegExp, what: string): Promise<string> {
  const entries = await readdir(folder).catch((cause: unknown) => {
    throw new ScoreInputError(
      `Expected --data to be a folder with ${what}, and ${folder} cannot be read.`,
      { cause },
    );
  });
  const found = entries.filter((entry) => name.test(entry));
  if (found.length === 1 && found[0] !== undefined) return join(folder, found[0]);
  throw new ScoreInputError(
    found.length === 0
      ? `Expected ${what} in ${folder}; found ${entries.sort().slice(0, 8).join(', ') || 'nothing'}. Put it there, or point --data to its folder.`
      : `Expected one file in ${folder} to be ${what}, and ${found.sort().join(', ')} all could be. Keep one.`,
  );
}

async function readText(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/^\ufeff/, '');
  } catch (cause) {
    throw new ScoreInputError(`Expected a file at ${path}, and it cannot be read.`, { cause });
  }
}

/** `NaN` and infinities, which Python writes into JSON, are refused as JSON refuses them. */
function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ScoreInputError(`Expected JSON at ${place}: ${String(cause)}`, { cause });
  }
}

function check<S extends z.ZodType>(value: unknown, schema: S, place: string): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join('.') ?? '';
  throw new ScoreInputError(
    `${place}: ${path === '' ? 'the value' : `"${path}"`}: ${issue?.message ?? 'unexpected'}`,
  );
}

/** Rows of cells; a quote inside a quoted cell is written twice, tabs and line ends may stand in it. */
function parseTable(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^\t\r\n]*))(\t|\r?\n|$)/gy;
  while (cell.lastIndex < text.length) {
    const at = cell.lastIndex;
    const match = cell.exec(text);
    // A quote that is never closed: the rest of the line is taken as it stands.
    const [all, quoted, plain = '', end] = match ?? restOfLine(text, at);
    cell.lastIndex = at + all.length;
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end !== '\t') {
      if (row.length > 1 || row[0] !== '') rows.push(row);
      row = [];
    }
  }
  return rows;
}

function restOfLine(text: string, at: number): [string, undefined, string, string] {
  const [all, line = '', end = ''] = /^(.*?)(\r?\n|$)/s.exec(text.slice(at)) ?? [''];
  return [all, undefined, line, end];
}
