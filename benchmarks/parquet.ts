/**
 * Reads Hugging Face's parquet files: texts row group by row group, embedded pictures only when they
 * are asked for. The group that was read last is kept, since pictures are asked for in order.
 */
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { ScoreInputError } from './scorer.ts';

export interface ParquetRow {
  /** File and row from 1, for messages. */
  readonly place: string;
  /** Values by column, without the picture. */
  readonly cells: Readonly<Record<string, unknown>>;
  /** null where the row has no picture. */
  readonly readImage: (() => Promise<Uint8Array>) | null;
}

/**
 * All rows of one file; an image is a column of `{bytes, path}`, the first such column.
 * @throws ScoreInputError when the file is no parquet, is cut off, or has pictures only by path.
 */
export async function readParquet(path: string): Promise<ParquetRow[]> {
  return inWords(path, async () => {
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    const table = tableOf(path, file, metadata);
    const rows: ParquetRow[] = [];
    for (const group of table.groups) rows.push(...(await rowsOf(table, group)));
    return rows;
  });
}

interface RowGroup {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** Whether the file says that every row has a picture. */
  readonly isImageEverywhere: boolean;
}

interface Table {
  readonly path: string;
  readonly file: AsyncBuffer;
  readonly metadata: FileMetaData;
  readonly groups: readonly RowGroup[];
  readonly texts: readonly string[];
  readonly imageColumn: string | null;
}

function tableOf(path: string, file: AsyncBuffer, metadata: FileMetaData): Table {
  const columns = parquetSchema(metadata).children;
  const names = columns.map(({ element }) => element.name);
  const images = columns
    .filter(({ children }) => children.some(({ element }) => element.name === 'bytes'))
    .map(({ element }) => element.name);
  const imageColumn = images[0] ?? null;
  let start = 0;
  const groups = metadata.row_groups.map(({ num_rows, columns: chunks }): RowGroup => {
    const bytes = chunks.find(({ meta_data }) => {
      const [column, field] = meta_data?.path_in_schema ?? [];
      return column === imageColumn && field === 'bytes';
    });
    const end = start + Number(num_rows);
    const isImageEverywhere = bytes?.meta_data?.statistics?.null_count === 0n;
    const group = { start, end, isImageEverywhere };
    start = end;
    return group;
  });
  const texts = names.filter((name) => !images.includes(name));
  return { path, file, metadata, groups, texts, imageColumn };
}

async function rowsOf(table: Table, group: RowGroup): Promise<ParquetRow[]> {
  const rows = await readColumns(table, group, table.texts);
  const hasImage = await imagePresence(table, group);
  return rows.map((cells, position) => ({
    place: `${table.path}:${group.start + position + 1}`,
    cells,
    readImage: hasImage(position)
      ? () => inWords(table.path, () => readImage(table, group, position))
      : null,
  }));
}

type Cells = Record<string, unknown>;

async function readColumns(
  { file, metadata }: Table,
  { start, end }: RowGroup,
  columns: readonly string[],
): Promise<Cells[]> {
  return parquetReadObjects({
    file,
    metadata,
    columns: [...columns],
    rowStart: start,
    rowEnd: end,
    compressors,
    // Else bytes of pictures would be decoded as text; columns that say they are text still are.
    utf8: false,
  });
}

/** The pictures themselves are read only where the file does not say that each row has one. */
async function imagePresence(
  table: Table,
  group: RowGroup,
): Promise<(position: number) => boolean> {
  if (table.imageColumn === null) return () => false;
  if (group.isImageEverywhere) return () => true;
  const images = await readImages(table, group, table.imageColumn);
  return (position) => images[position] !== null;
}

/** Only the last group, over all files: groups hold a hundred pictures or more. */
let lastRead: { table: Table; group: RowGroup; images: Promise<(Uint8Array | null)[]> } | null =
  null;

async function readImage(table: Table, group: RowGroup, position: number): Promise<Uint8Array> {
  if (table.imageColumn === null) throw new Error('there is no column of pictures');
  if (lastRead?.table !== table || lastRead.group !== group) {
    lastRead = { table, group, images: readImages(table, group, table.imageColumn) };
  }
  const bytes = (await imagesOf(lastRead))[position];
  if (!(bytes instanceof Uint8Array)) throw new Error('the picture is not there any more');
  return bytes;
}

/** A group that could not be read is not kept: the next try reads it again. */
async function imagesOf(read: NonNullable<typeof lastRead>): Promise<(Uint8Array | null)[]> {
  try {
    return await read.images;
  } catch (error) {
    if (lastRead === read) lastRead = null;
    throw error;
  }
}

async function readImages(
  table: Table,
  group: RowGroup,
  column: string,
): Promise<(Uint8Array | null)[]> {
  const rows = await readColumns(table, group, [column]);
  return rows.map((row, position) => {
    const { bytes, path } = imageFields(row[column]);
    if (bytes instanceof Uint8Array) return bytes;
    if (typeof path !== 'string' || path === '') return null;
    throw new ScoreInputError(
      `Expected the pictures inside ${table.path}, and column "${column}" of row ${group.start + position + 1} only names a file: ${path}. Use the parquet files that the data set's page offers.`,
    );
  });
}

function imageFields(value: unknown): { readonly bytes?: unknown; readonly path?: unknown } {
  return typeof value === 'object' && value !== null ? value : {};
}

/** The library's errors, which name neither file nor remedy, in words. */
async function inWords<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof ScoreInputError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ScoreInputError(
      `Expected a whole parquet file at ${path}, and reading it failed: ${reason}. Download it again.`,
      { cause },
    );
  }
}
