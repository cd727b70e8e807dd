/** What the small sets of benchmarks are written with. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** Contents by path below the benchmark's folder. */
export type Files = Readonly<Record<string, string | Buffer>>;

/** One benchmark as users have it; Hugging Face's parquet files are in tests/fixtures/parquet. */
export interface LayoutFiles {
  /** What lies beside the files of every layout. */
  readonly shared?: Files;
  readonly official: Files;
  readonly tsv: Files;
}

const FIXTURES = resolve(import.meta.dirname, '../../../fixtures/parquet');

export function parquetFixture(...parts: string[]): string {
  return join(FIXTURES, ...parts);
}

/** Bytes that name the picture; as in tests/fixtures/parquet/make_parquet.py. */
export function picture(name: 'red' | 'blue'): Buffer {
  return Buffer.from(`picture ${name}\n`.repeat(8));
}

export const RED = picture('red').toString('base64');
export const BLUE = picture('blue').toString('base64');

export async function writeFiles(folder: string, files: Files): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

/** Tab-separated; cells are written as they are given. */
export function table(rows: readonly (readonly string[])[]): string {
  return rows.map((cells) => `${cells.join('\t')}\n`).join('');
}

export function lines(...rows: readonly unknown[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}
