/** The files were written by pyarrow, Hugging Face's writer (tests/fixtures/parquet/make_parquet.py). */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readParquet } from '../../../benchmarks/parquet.ts';
import { loadScienceqa } from '../../../benchmarks/scienceqa-loader.ts';
import { ScoreInputError } from '../../../benchmarks/scorer.ts';
import { parquetFixture, picture } from './layouts/files.ts';

const SCIENCEQA = parquetFixture('scienceqa/ScienceQA-FULL/test-00000-of-00001.parquet');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sticflow-parquet-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe('readParquet', () => {
  it('reads texts, lists and numbers of all row groups, and tells rows without a picture', async () => {
    const rows = await readParquet(SCIENCEQA);

    expect(rows.map(({ cells }) => cells['choices'])).toEqual([
      ['red', 'green'],
      ['six', 'eight', 'ten'],
      ['a\tb', 'c', 'd'],
    ]);
    expect(rows.map(({ cells }) => cells['answer'])).toEqual([0n, 1n, 2n]);
    expect(rows.map(({ readImage }) => readImage === null)).toEqual([false, true, false]);
    expect(rows.map(({ place }) => place)).toEqual([1, 2, 3].map((row) => `${SCIENCEQA}:${row}`));
  });

  it('gives each picture its own bytes, in whatever order they are asked for', async () => {
    const rows = await readParquet(SCIENCEQA);

    const asked = [2, 0, 2, 0].map(async (row) => rows[row]?.readImage?.());

    expect((await Promise.all(asked)).map((bytes) => Buffer.from(bytes ?? []))).toEqual(
      (['blue', 'red', 'blue', 'red'] as const).map(picture),
    );
  });

  it('refuses a data set whose pictures lie elsewhere', async () => {
    const file = parquetFixture('only-paths/data/test-00000-of-00001.parquet');

    await expect(readParquet(file)).rejects.toThrow(
      /^Expected the pictures inside .* row 1 only names a file: bars\.png/,
    );
  });

  it.each([
    ['empty', (whole: Buffer) => whole.subarray(0, 0)],
    ['cut off', (whole: Buffer) => whole.subarray(0, whole.length - 100)],
    ['an answer of the server', () => Buffer.from('<html>Not found</html>')],
    ['a pointer of Git LFS', () => Buffer.from('version https://git-lfs.github.com/spec/v1\n')],
  ])('says that a file is not whole: %s', async (_, change) => {
    const path = join(folder, 'broken.parquet');
    await writeFile(path, change(await readFile(SCIENCEQA)));

    await expect(readParquet(path)).rejects.toThrow(
      /^Expected a whole parquet file at .*broken\.parquet, .* Download it again\.$/,
    );
  });

  it('no damaged byte gives anything but questions or a message', async () => {
    const whole = await readFile(SCIENCEQA);
    const path = join(folder, 'test-00000-of-00001.parquet');
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (place, byte) => {
        const damaged = Buffer.from(whole);
        damaged[place] = byte;
        await writeFile(path, damaged);
        try {
          const { questions } = await loadScienceqa(folder);
          for (const { image } of questions) await image?.read();
        } catch (error) {
          expect(error).toBeInstanceOf(ScoreInputError);
        }
      }),
      { numRuns: 150 },
    );
  });
});
