/** The small set of each benchmark, in every layout. */
import { cp } from 'node:fs/promises';
import type { LoadedBenchmark } from '../../../../benchmarks/loader.ts';
import { LOADERS } from '../../../../benchmarks/loaders.ts';
import { mathvista, mmbench, scienceqa } from './choice-sets.ts';
import { EXPECTED, type Expected } from './expected.ts';
import { type Files, type LayoutFiles, parquetFixture, picture, writeFiles } from './files.ts';
import { chair, pope } from './object-sets.ts';
import { chartqa, llavabench, mmvet, textvqa } from './open-sets.ts';

const FILES = {
  scienceqa,
  textvqa,
  chartqa,
  llavabench,
  mmbench,
  mmvet,
  mathvista,
  pope,
  chair,
} satisfies Record<string, LayoutFiles>;

export type BenchmarkName = keyof typeof FILES;
export const BENCHMARKS = Object.keys(FILES) as BenchmarkName[]; // The keys are those of the literal.

export const LAYOUTS = ['official', 'tsv', 'parquet'] as const;
export type LayoutName = (typeof LAYOUTS)[number];

/** Puts a benchmark into an empty folder. */
export async function writeLayout(
  folder: string,
  benchmark: BenchmarkName,
  layout: LayoutName,
): Promise<void> {
  const files: LayoutFiles = FILES[benchmark];
  await writeFiles(folder, { ...files.shared, ...(layout === 'parquet' ? {} : files[layout]) });
  if (layout === 'parquet') await cp(parquetFixture(benchmark), folder, { recursive: true });
}

/** The official layout, with files that an image decoder takes in place of those that name a picture. */
export async function writeDecodable(
  folder: string,
  benchmark: BenchmarkName,
  pictures: Readonly<Record<'red' | 'blue', Buffer>>,
): Promise<void> {
  const files: LayoutFiles = FILES[benchmark];
  const names = ['red', 'blue'] as const;
  const all: Files = { ...files.shared, ...files.official };
  const drawn = Object.entries(all).map(([name, content]): [string, string | Buffer] => {
    if (typeof content === 'string') {
      const base64 = (text: string, of: 'red' | 'blue'): string =>
        text.replaceAll(picture(of).toString('base64'), pictures[of].toString('base64'));
      return [name, names.reduce(base64, content)];
    }
    const shown = names.find((of) => picture(of).equals(content));
    return [name, shown === undefined ? content : pictures[shown]];
  });
  await writeFiles(folder, Object.fromEntries(drawn));
}

export function expectedOf(benchmark: BenchmarkName): Expected {
  const expected = EXPECTED[benchmark];
  if (expected === undefined) throw new Error(`nothing is expected of ${benchmark}`);
  return expected;
}

export function load(benchmark: BenchmarkName, folder: string): Promise<LoadedBenchmark> {
  const loader = LOADERS[benchmark];
  if (loader === undefined) throw new Error(`no loader of ${benchmark}`);
  return loader(folder);
}
