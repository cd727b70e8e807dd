/**
 * Reads a tab-separated table of any size row by row. Cells of pictures, which make tables of
 * gigabytes, stay in the file: of them only the place is kept. Quoting as spreadsheets and pandas
 * have it: a cell that begins with `"` ends at the next lone one, `""` inside it is a quote.
 */
import { open } from 'node:fs/promises';
import { ScoreInputError } from './scorer.ts';

/** Bytes of the file that are one cell, its quotes included. */
export interface CellPlace {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

export interface StreamedRow {
  /** Of the line where the row begins, from 1. */
  readonly line: number;
  /** Texts by column; empty cells are left out. */
  readonly cells: ReadonlyMap<string, string>;
  /** Large cells of the columns that were to stay in the file. */
  readonly places: ReadonlyMap<string, CellPlace>;
}

/** A cell of a picture that is not longer refers to another row (VLMEvalKit, image_base.py). */
export const MAX_REFERENCE_LENGTH = 64;

const CHUNK_BYTES = 1 << 20;
const [TAB, NEWLINE, RETURN, QUOTE] = [0x09, 0x0a, 0x0d, 0x22];

/**
 * Rows after the header.
 * @param leftInFile columns whose cells of more than 64 bytes are not read.
 * @throws ScoreInputError when the file cannot be read or a quote is never closed.
 */
export async function* streamTable(
  path: string,
  leftInFile: ReadonlySet<string>,
): AsyncGenerator<StreamedRow> {
  let header: string[] | null = null;
  const scanner = new CellScanner((column) => leftInFile.has(header?.[column] ?? ''));
  for await (const chunk of chunksOf(path)) {
    for (const row of scanner.scan(chunk)) {
      if (header === null) header = row.cells.map(({ text }) => text);
      else yield streamedRow(header, row);
    }
  }
  const last = scanner.finish();
  if (last === 'unclosed') {
    throw new ScoreInputError(
      `Expected the quote that begins a cell in line ${scanner.rowLine} of ${path} to be closed, and the file ends in it. Is the file complete?`,
    );
  }
  if (last !== null && header !== null) yield streamedRow(header, last);
}

/** The text of a cell that was left in the file. */
export async function readCell(path: string, { start, end }: CellPlace): Promise<string> {
  try {
    const file = await open(path);
    try {
      const { bytesRead, buffer } = await file.read(
        Buffer.alloc(end - start),
        0,
        end - start,
        start,
      );
      if (bytesRead < end - start) throw new Error(`the file ends after ${bytesRead} bytes`);
      return unquoted(buffer.toString('utf8'));
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new ScoreInputError(
      `Expected the table ${path}, and it cannot be read any more. Put it back and start again.`,
      { cause },
    );
  }
}

interface RawCell {
  readonly text: string;
  readonly place: CellPlace;
  readonly isLeftInFile: boolean;
}

interface RawRow {
  readonly line: number;
  readonly cells: readonly RawCell[];
}

function streamedRow(header: readonly string[], { line, cells }: RawRow): StreamedRow {
  const texts = new Map<string, string>();
  const places = new Map<string, CellPlace>();
  header.forEach((name, column) => {
    const cell = cells[column];
    if (cell === undefined) return;
    if (cell.isLeftInFile) places.set(name, cell.place);
    else if (cell.text !== '') texts.set(name, cell.text);
  });
  return { line, cells: texts, places };
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  try {
    const file = await open(path);
    try {
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new ScoreInputError(
      `Expected a table at ${path}, and it cannot be read. Look at its permissions.`,
      { cause },
    );
  }
}

/** Where in a cell the scanner stands; `quote` = after a quote that may close it or be the first of two. */
type State = 'start' | 'plain' | 'quoted' | 'quote';

class CellScanner {
  /** Line where the row begins that is being read. */
  rowLine = 1;
  private readonly isLeftInFile: (column: number) => boolean;
  private state: State = 'start';
  private line = 1;
  /** Bytes of the file before the current chunk. */
  private chunkStart = 0;
  private cellStart = 0;
  private cells: RawCell[] = [];
  private parts: Buffer[] = [];
  private partBytes = 0;

  constructor(isLeftInFile: (column: number) => boolean) {
    this.isLeftInFile = isLeftInFile;
  }

  *scan(chunk: Buffer): Generator<RawRow> {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === NEWLINE) this.line++;
      if (byte === QUOTE) {
        if (this.state === 'start' || this.state === 'quote') this.state = 'quoted';
        else if (this.state === 'quoted') this.state = 'quote';
        continue;
      }
      if (this.state === 'quoted') {
        // Nothing but a quote matters in here, and pictures are long.
        const quote = chunk.indexOf(QUOTE, at);
        const end = quote === -1 ? chunk.length : quote;
        for (let inside = at + 1; inside < end; inside++) {
          if (chunk[inside] === NEWLINE) this.line++;
        }
        at = end - 1;
        continue;
      }
      if (byte !== TAB && byte !== NEWLINE) {
        if (byte !== RETURN) this.state = 'plain';
        continue;
      }
      this.keep(chunk.subarray(from, at));
      this.endCell(this.chunkStart + at);
      from = at + 1;
      if (byte === NEWLINE) {
        const row = this.endRow();
        if (row !== null) yield row;
      }
    }
    this.keep(chunk.subarray(from));
    this.chunkStart += chunk.length;
  }

  /** The row that no line end closes; null when there is none. */
  finish(): RawRow | 'unclosed' | null {
    if (this.state === 'quoted') return 'unclosed';
    if (this.cells.length === 0 && this.partBytes === 0) return null;
    this.endCell(this.chunkStart);
    return this.endRow();
  }

  private keep(bytes: Buffer): void {
    // A cell that stays in the file is kept as far as it may still prove to be a reference.
    const isEnough =
      this.partBytes > MAX_REFERENCE_LENGTH + 3 && this.isLeftInFile(this.cells.length);
    if (bytes.length > 0 && !isEnough) this.parts.push(bytes);
    this.partBytes += bytes.length;
  }

  private endCell(end: number): void {
    const isLeftInFile =
      this.partBytes > MAX_REFERENCE_LENGTH + 2 && this.isLeftInFile(this.cells.length);
    const text = isLeftInFile ? '' : Buffer.concat(this.parts).toString('utf8');
    const isFirst = this.cellStart === 0;
    this.cells.push({
      text: unquoted(isFirst ? text.replace(/^\ufeff/, '') : text),
      place: { start: this.cellStart, end },
      isLeftInFile,
    });
    this.parts = [];
    this.partBytes = 0;
    this.cellStart = end + 1;
    this.state = 'start';
  }

  /** null for an empty line. */
  private endRow(): RawRow | null {
    const { cells, rowLine } = this;
    this.cells = [];
    this.rowLine = this.line;
    const isEmpty = cells.length === 1 && cells[0]?.text === '' && !cells[0].isLeftInFile;
    return isEmpty ? null : { line: rowLine, cells };
  }
}

/** A cell without its quotes and without the carriage return of a line end. */
function unquoted(raw: string): string {
  const cell = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
  if (!cell.startsWith('"')) return cell;
  let close = cell.indexOf('"', 1);
  while (close !== -1 && cell.charAt(close + 1) === '"') close = cell.indexOf('"', close + 2);
  if (close === -1) return cell.slice(1).replaceAll('""', '"');
  // What follows the closing quote belongs to the cell as it stands.
  return cell.slice(1, close).replaceAll('""', '"') + cell.slice(close + 1);
}
