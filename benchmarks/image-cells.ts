/**
 * Pictures in cells of a table, as VLMEvalKit writes them (e8e78f0, image_base.py): base64, and for a
 * picture that was there before the index of the row that has it.
 */
import type { BenchmarkImage } from './loader.ts';
import { parseTextList } from './python-literal.ts';
import { ScoreInputError } from './scorer.ts';
import { type CellPlace, MAX_REFERENCE_LENGTH, readCell } from './table-stream.ts';

/** A cell with a picture: its text where it is short, else where it stands in the file. */
export type ImageCell = string | CellPlace;

export interface ImageRow {
  readonly index: string;
  readonly cell: ImageCell;
  /** Of the row, for messages. */
  readonly place: string;
}

/**
 * The picture of each row by its index; rows that refer to another get the very same picture.
 * @throws ScoreInputError when a row refers to none, or to a row that itself only refers.
 */
export function cellImages(
  path: string,
  rows: readonly ImageRow[],
): ReadonlyMap<string, BenchmarkImage> {
  const holders = new Map(
    rows
      .filter(({ cell }) => !isReference(cell))
      .map((row) => [row.index, imageOf(path, row)] as const),
  );
  return new Map(
    rows.map(({ index, cell, place }) => {
      const holder = isReference(cell) ? cell : index;
      const image = holders.get(holder);
      if (image !== undefined) return [index, image] as const;
      throw new ScoreInputError(
        `Expected column "image" at ${place} to be a picture in base64 or the index of a row that has one, got ${JSON.stringify(holder)}. Is the table complete?`,
      );
    }),
  );
}

function isReference(cell: ImageCell): cell is string {
  return typeof cell === 'string' && cell.length <= MAX_REFERENCE_LENGTH;
}

function imageOf(path: string, { index, cell, place }: ImageRow): BenchmarkImage {
  const read = async (): Promise<Uint8Array> =>
    decode(typeof cell === 'string' ? cell : await readCell(path, cell), place);
  return { name: index, read };
}

const BASE64 = /^[A-Za-z0-9+/\s]+={0,2}\s*$/;

/** A list of one picture is that picture. */
function decode(cell: string, place: string): Uint8Array {
  const [only = '', ...more] = parseTextList(cell, place);
  if (more.length > 0) {
    throw new ScoreInputError(
      `Expected one picture in column "image" at ${place}, got ${more.length + 1}. Questions about several pictures are not supported.`,
    );
  }
  if (BASE64.test(only)) return Buffer.from(only, 'base64');
  throw new ScoreInputError(
    `Expected a picture in base64 in column "image" at ${place}, got ${JSON.stringify(only.slice(0, 20))}. Download the table again.`,
  );
}
