/** The small set of each benchmark, in every layout. */
import { cp } from 'node:fs/promises';
import type { LoadedBenchmark } from '../../../../benchmarks/loader.ts';
import { LOADERS } from '../../../../benchmarks/loaders.ts';
import { mathvista, mmbench, scienceqa } from './choice-sets.ts';
import { EXPECTED, type Expected } from './expected.ts';
import { type LayoutFiles, parquetFixture, writeFiles } from './files.ts';
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
