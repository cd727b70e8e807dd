import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cellImages } from '../../../benchmarks/image-cells.ts';
import { ScoreInputError } from '../../../benchmarks/scorer.ts';
import { readCell, type StreamedRow, streamTable } from '../../../benchmarks/table-stream.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sticflow-table-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function rowsOf(content: string | Buffer, leftInFile: string[] = []): Promise<StreamedRow[]> {
  const path = join(folder, 'table.tsv');
  await writeFile(path, content);
  const rows: StreamedRow[] = [];
  for await (const row of streamTable(path, new Set(leftInFile))) rows.push(row);
  return rows;
}

const cellsOf = (rows: readonly StreamedRow[]): unknown[] =>
  rows.map(({ cells }) => Object.fromEntries(cells));

describe('streamTable', () => {
  it.each([
    ['a\tb\n1\t2\n', [{ a: '1', b: '2' }]],
    ['a\tb\r\n1\t2\r\n', [{ a: '1', b: '2' }]],
    ['\ufeffa\tb\n1\t2', [{ a: '1', b: '2' }]],
    ['a\tb\n\t2\n\n1\t\n', [{ b: '2' }, { a: '1' }]],
    ['a\tb\n"x\ty\nz"\t"say ""no"""\n', [{ a: 'x\ty\nz', b: 'say "no"' }]],
    ['a\tb\nit is 5" wide\t"a" b\n', [{ a: 'it is 5" wide', b: 'a b' }]],
    ['a\tb\n1\t2\t3\n4\n', [{ a: '1', b: '2' }, { a: '4' }]],
    ['a\tb\n', []],
    ['', []],
  ])('reads %j as pandas does', async (content, rows) => {
    expect(cellsOf(await rowsOf(content))).toEqual(rows);
  });

  it('numbers rows by the line they begin in', async () => {
    const rows = await rowsOf('a\tb\n1\t"x\ny"\n2\t3\n');

    expect(rows.map(({ line }) => line)).toEqual([2, 4]);
  });

  it('refuses a quote that is never closed, with its line', async () => {
    await expect(rowsOf('a\tb\n1\t2\n3\t"4\n5\t6\n')).rejects.toThrow(
      /^Expected the quote that begins a cell in line 3 of .* Is the file complete\?$/,
    );
    await expect(rowsOf('a\tb\n1\t"2')).rejects.toThrow(ScoreInputError);
  });

  it('reads back every table, and large cells from their place, over chunk borders too', async () => {
    const cell = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 12 }),
      fc
        .array(fc.constantFrom('"', '\t', '\n', '\r', 'a', '""'), { maxLength: 6 })
        .map((parts) => parts.join('')),
    );
    const large = fc
      .tuple(fc.integer({ min: 60, max: 70 }), fc.constantFrom('x', 'é', '"'))
      .map(([count, text]) => text.repeat(count));
    const row = fc.tuple(cell, fc.oneof(cell, large), cell);
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 4 }), fc.nat(3), async (rows, padding) => {
        // The first cell ends just before or after the border of two chunks of 1 MiB.
        const first = 'p'.repeat((1 << 20) - 60 + 20 * padding);
        const all = [[first, 'image', 'last'] as const, ...rows];
        const text = [['a', 'image', 'c'], ...all]
          .map((cells) => cells.map(quoted).join('\t'))
          .join('\n');

        const read = await rowsOf(text, ['image']);

        const path = join(folder, 'table.tsv');
        const found = await Promise.all(
          read.map(async ({ cells, places }) => {
            const place = places.get('image');
            const image = place === undefined ? cells.get('image') : await readCell(path, place);
            return [cells.get('a') ?? '', image ?? '', cells.get('c') ?? ''];
          }),
        );
        expect(found).toEqual(all);
      }),
      { numRuns: 25 },
    );
  });
});

function quoted(cell: string): string {
  return `"${cell.replaceAll('"', '""')}"`;
}

describe('pictures in cells', () => {
  const long = Buffer.from('a picture '.repeat(10)).toString('base64');

  it('a row that refers gets the very picture of the row that has it', async () => {
    const images = cellImages('t.tsv', [
      { index: '1', cell: long, place: 't.tsv:2' },
      { index: '2', cell: '1', place: 't.tsv:3' },
    ]);

    expect(images.get('2')).toBe(images.get('1'));
    expect(Buffer.from((await images.get('1')?.read()) ?? []).toString()).toBe(
      'a picture '.repeat(10),
    );
  });

  it.each([
    ['9', /t\.tsv:3 to be a picture in base64 or the index of a row that has one, got "9"/],
    ['2', /got "2"/],
  ])('a reference to %s, which has none, is refused', (cell, message) => {
    const rows = [
      { index: '1', cell: long, place: 't.tsv:2' },
      { index: '2', cell, place: 't.tsv:3' },
    ];

    expect(() => cellImages('t.tsv', rows)).toThrow(message);
  });

  it.each([
    ['!'.repeat(80), /base64 .*t\.tsv:2, got "!!!/],
    [`['${long}', '${long}']`, /one picture .*t\.tsv:2, got 2/],
  ])('%.10s... is no picture', async (cell, message) => {
    const image = cellImages('t.tsv', [{ index: '1', cell, place: 't.tsv:2' }]).get('1');

    await expect(image?.read()).rejects.toThrow(message);
  });

  it('a list of one picture is that picture', async () => {
    const rows = [{ index: '1', cell: `['${long}']`, place: 't.tsv:2' }];

    const bytes = await cellImages('t.tsv', rows).get('1')?.read();

    expect(Buffer.from(bytes ?? []).toString('base64')).toBe(long);
  });
});
