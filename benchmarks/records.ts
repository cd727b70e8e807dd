/** Rows of a table, whether it is VLMEvalKit's TSV or Hugging Face's parquet, under one roof. */
import { basename, dirname } from 'node:path';
import { cellImages, type ImageCell } from './image-cells.ts';
import { imageFiles } from './image-files.ts';
import type { Layout } from './layouts.ts';
import type { BenchmarkImage } from './loader.ts';
import { readParquet } from './parquet.ts';
import { floatText } from './python-float.ts';
import { parseTextList } from './python-literal.ts';
import { ScoreInputError } from './scorer.ts';
import { type StreamedRow, streamTable } from './table-stream.ts';

export interface TableRecord {
  /** File and line or row, for messages. */
  readonly place: string;
  /** From 0, over all files of the table. */
  readonly position: number;
  /** By column; missing values are left out. */
  readonly cells: ReadonlyMap<string, unknown>;
  readonly image: BenchmarkImage | null;
}

/** Every row, in order. @throws ScoreInputError when a file is broken or a picture is missing. */
export async function tableRecords(
  layout: Exclude<Layout, { kind: 'official' }>,
): Promise<TableRecord[]> {
  return layout.kind === 'tsv' ? tsvRecords(layout.path) : parquetRecords(layout.paths);
}

async function parquetRecords(paths: readonly string[]): Promise<TableRecord[]> {
  const records: TableRecord[] = [];
  for (const path of paths) {
    for (const { place, cells, readImage } of await readParquet(path)) {
      const position = records.length;
      // Rows have no name of their own, and the file names that come with pictures repeat.
      const image = readImage && { name: `row ${position}`, read: readImage };
      records.push({ place, position, cells: present(cells), image });
    }
  }
  return records;
}

function present(cells: Readonly<Record<string, unknown>>): ReadonlyMap<string, unknown> {
  return new Map(
    Object.entries(cells).filter(
      ([, value]) => value !== null && value !== undefined && value !== '',
    ),
  );
}

async function tsvRecords(path: string): Promise<TableRecord[]> {
  const rows: StreamedRow[] = [];
  for await (const row of streamTable(path, new Set(['image']))) rows.push(row);
  const placeOf = ({ line }: StreamedRow): string => `${path}:${line}`;
  const embedded = cellImages(
    path,
    rows.flatMap((row) => {
      const cell: ImageCell | undefined = row.places.get('image') ?? row.cells.get('image');
      const index = row.cells.get('index');
      return cell === undefined || index === undefined
        ? []
        : [{ index, cell, place: placeOf(row) }];
    }),
  );
  const named =
    embedded.size > 0 ? new Map<string, BenchmarkImage>() : await namedImages(path, rows);
  return rows.map((row, position) => ({
    place: placeOf(row),
    position,
    cells: row.cells,
    image:
      embedded.get(row.cells.get('index') ?? '') ??
      named.get(row.cells.get('image_path') ?? '') ??
      null,
  }));
}

/** Pictures that a table without column `image` names in `image_path`. */
async function namedImages(
  path: string,
  rows: readonly StreamedRow[],
): Promise<ReadonlyMap<string, BenchmarkImage>> {
  const names = rows.flatMap((row) => row.cells.get('image_path') ?? []);
  if (names.length === 0) return new Map();
  // VLMEvalKit unpacks the pictures of NAME.tsv to images/NAME/ (img_root_map for MMBench).
  const folder = `images/${basename(path, '.tsv')}`;
  const images = await imageFiles(
    dirname(path),
    names.map((name) => `${folder}/${name}`),
    `Put the pictures of column "image_path" into ${folder} beside the table, or use the table with column "image"`,
  );
  return new Map(
    names.flatMap((name) => {
      const image = images.get(`${folder}/${name}`);
      return image === undefined ? [] : [[name, image] as const];
    }),
  );
}

/** The text of the first of the columns that has a value; null when none has. */
export function textOf(record: TableRecord, ...columns: readonly string[]): string | null {
  for (const column of columns) {
    const value = record.cells.get(column);
    if (value !== undefined) return plainText(value, column, record.place);
  }
  return null;
}

/** As `textOf`. @throws ScoreInputError that names the columns when none has a value. */
export function requiredText(record: TableRecord, ...columns: readonly string[]): string {
  const text = textOf(record, ...columns);
  if (text !== null) return text;
  throw new ScoreInputError(
    `Expected a value in column ${quoted(columns)} at ${record.place}, got columns ${[...record.cells.keys()].join(', ') || 'without values'}. Is it the table of this benchmark, and complete?`,
  );
}

/** A list: a parquet list, or the text of a Python list; null when no column has a value. */
export function listOf(record: TableRecord, ...columns: readonly string[]): string[] | null {
  for (const column of columns) {
    const value = record.cells.get(column);
    if (Array.isArray(value)) {
      return value.map((item: unknown) => plainText(item, column, record.place));
    }
    if (value !== undefined) {
      return parseTextList(
        plainText(value, column, record.place),
        `${record.place}, column "${column}"`,
      );
    }
  }
  return null;
}

/** The picture. @throws ScoreInputError when the row has none. */
export function requiredImage(record: TableRecord): BenchmarkImage {
  if (record.image !== null) return record.image;
  throw new ScoreInputError(
    `Expected a picture in column "image" at ${record.place}, and there is none. Download the table with pictures.`,
  );
}

function plainText(value: unknown, column: string, place: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : floatText(value);
  throw new ScoreInputError(
    `Expected a text or a number in column "${column}" at ${place}, got ${Array.isArray(value) ? 'a list' : typeof value}. Is it the table of this benchmark?`,
  );
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(' or ');
}
