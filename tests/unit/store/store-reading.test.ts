import { appendFile, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ArtifactRef } from '../../../contract/artifact.ts';
import { SticflowError } from '../../../store/errors.ts';
import { writeLines } from '../../../store/lines.ts';
import { openStore, type Store } from '../../../store/store.ts';
import { fill, ref, rowsOf, spec } from './example.ts';
import { temporaryDirectory } from './temporary.ts';

let workspace: string;
let store: Store;

beforeEach(async () => {
  workspace = await temporaryDirectory();
  store = openStore(workspace);
});

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof SticflowError ? error.code : String(error)),
  );
}

describe('a damaged artifact', () => {
  let built: ArtifactRef;
  let rows: string;

  beforeEach(async () => {
    built = await store.build(spec, fill);
    rows = join(store.directory(built), 'rows.jsonl');
    // What a later process sees: nothing is remembered.
    store = openStore(workspace);
  });

  it('is found by verify when one bit is flipped', async () => {
    const bytes = await readFile(rows);
    bytes[3] = (bytes[3] ?? 0) ^ 1;
    await writeFile(rows, bytes);

    await expect(store.verify(built)).rejects.toThrow('rows.jsonl has other bytes');
  });

  it('is found by find when a file is cut short', async () => {
    await truncate(rows, 4);

    await expect(store.find(built.kind, built.key)).rejects.toThrow('has 4 bytes instead of 11');
  });

  it('is found by find when a file is missing', async () => {
    await rm(rows);

    expect(await codeOf(store.find(built.kind, built.key))).toBe('ArtifactDamaged');
  });

  it('is found by verify when a file is too many', async () => {
    await writeFile(`${rows}.bak`, '');

    await expect(store.verify(built)).rejects.toThrow('rows.jsonl.bak is not in its manifest');
  });

  it('is found when the manifest is cut short', async () => {
    await truncate(join(dirname(rows), 'manifest.json'), 20);

    expect(await codeOf(store.find(built.kind, built.key))).toBe('ArtifactDamaged');
  });

  it('is found by verify when the manifest lies about its parameters', async () => {
    const path = join(dirname(rows), 'manifest.json');
    await writeFile(path, (await readFile(path, 'utf8')).replace('"seed":7', '"seed":8'));

    await expect(store.verify(built)).rejects.toThrow('do not hash to its key');
  });

  it('is refused under another digest', () => {
    expect(() => store.directory({ ...built, sha256: '0'.repeat(64) })).toThrow('expected 0000');
  });
});

describe('reading', () => {
  it('names an artifact that is not there', async () => {
    expect(await codeOf(store.verify(ref('scores', 'a')))).toBe('ArtifactMissing');
    expect(() => store.directory(ref('scores', 'a'))).toThrow('Expected the artifact scores/');
  });

  it('sees at once that a finished artifact was removed', async () => {
    const built = await store.build(spec, fill);

    await rm(store.directory(built), { recursive: true });

    expect(() => store.directory(built)).toThrow('there is none');
    expect(await store.find(built.kind, built.key)).toBeNull();
  });

  it('names the line that does not fit the schema', async () => {
    const built = await store.build(spec, async (directory) => {
      await writeLines(join(directory, 'rows.jsonl'), [{ id: 'x' }]);
      await appendFile(join(directory, 'rows.jsonl'), '{"id":1}\n');
      return 2;
    });

    await expect(rowsOf(store, built)).rejects.toThrow(/^rows\.jsonl:2: .*expected string/s);
  });

  it('refuses a file name that leads out of the artifact', async () => {
    const built = await store.build(spec, fill);

    await expect(store.readJson(built, '../../../etc/passwd', z.json())).rejects.toThrow(
      'is outside root',
    );
  });
});
