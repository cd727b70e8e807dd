/** A small artifact for the tests of the store: two files, one row. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ArtifactRef } from '../../../contract/artifact.ts';
import { writeLines } from '../../../store/lines.ts';
import type { BuildSpec, Store } from '../../../store/store.ts';

const Row = z.strictObject({ id: z.string() });

export const spec: BuildSpec = {
  kind: 'generations',
  inputs: [],
  parameters: { seed: 7, nested: { rate: 1e-7 } },
  version: 1,
};

export /** Fills a folder with one row and one file in a sub-folder. */
async function fill(directory: string): Promise<number> {
  await mkdir(join(directory, 'files'));
  await writeFile(join(directory, 'files', 'a.bin'), 'abc');
  return writeLines(join(directory, 'rows.jsonl'), [{ id: 'x' }]);
}

export async function rowsOf(store: Store, artifact: ArtifactRef): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const row of store.readLines(artifact, 'rows.jsonl', Row)) rows.push(row);
  return rows;
}

/** A reference that no store holds. */
export function ref(kind: ArtifactRef['kind'], digit: string): ArtifactRef {
  return { kind, key: digit.repeat(32), sha256: digit.repeat(64), num_records: 0 };
}
