import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { type BuildSpec, openStore, type Store } from '../../../store/store.ts';
import { fill, ref, rowsOf, spec } from './example.ts';
import { temporaryDirectory } from './temporary.ts';

let workspace: string;
let store: Store;

beforeEach(async () => {
  workspace = await temporaryDirectory();
  store = openStore(workspace);
});

describe('key', () => {
  it('is what it was when the first artifacts were made', () => {
    expect(store.key(spec)).toMatchInlineSnapshot(`"c115529470425468617aa6107d29b05f"`);
  });

  it('does not see the order of parameters', () => {
    const reordered = { nested: { rate: 0.0000001 }, seed: 7 };

    expect(store.key({ ...spec, parameters: reordered })).toBe(store.key(spec));
  });

  it.each<[string, Partial<BuildSpec>]>([
    ['kind', { kind: 'scores' }],
    ['parameters', { parameters: { seed: 8, nested: { rate: 1e-7 } } }],
    ['version', { version: 2 }],
    ['inputs', { inputs: [ref('config', 'a')] }],
  ])('changes with the %s', (_name, change) => {
    expect(store.key({ ...spec, ...change })).not.toBe(store.key(spec));
  });

  it('sees the bytes of an input and not the way it was made', () => {
    const input = ref('config', 'a');
    const sameBytes = { ...input, key: 'f'.repeat(32) };

    expect(store.key({ ...spec, inputs: [sameBytes] })).toBe(
      store.key({ ...spec, inputs: [input] }),
    );
    expect(store.key({ ...spec, inputs: [ref('config', 'b')] })).not.toBe(
      store.key({ ...spec, inputs: [input] }),
    );
  });

  it('refuses a parameter that JSON cannot hold', () => {
    expect(() => store.key({ ...spec, parameters: { rate: Number.NaN } })).toThrow(
      '$.parameters.rate',
    );
  });
});

describe('build', () => {
  it('publishes what was made, with a manifest that verifies', async () => {
    const built = await store.build(spec, fill);

    const manifest = await store.verify(built);
    expect(manifest.files.map((file) => file.name)).toEqual(['files/a.bin', 'rows.jsonl']);
    expect(manifest.parameters).toEqual({ ...spec.parameters, stage_version: 1 });
    expect(built).toEqual({
      kind: 'generations',
      key: store.key(spec),
      sha256: manifest.sha256,
      num_records: 1,
    });
  });

  it('does no work when the artifact is finished', async () => {
    const first = await store.build(spec, fill);

    const again = await openStore(workspace).build(spec, () => Promise.reject(new Error('worked')));

    expect(again).toEqual(first);
  });

  it('gives the same digest for the same bytes wherever they are made', async () => {
    const elsewhere = openStore(await temporaryDirectory());

    expect(await elsewhere.build(spec, fill)).toEqual(await store.build(spec, fill));
  });

  it('publishes nothing when making fails, and leaves no folder', async () => {
    const made = store.build(spec, async (directory) => {
      await fill(directory);
      throw new Error('disk on fire');
    });

    await expect(made).rejects.toThrow('disk on fire');
    expect(await store.find(spec.kind, store.key(spec))).toBeNull();
    expect(await readdir(join(workspace, 'artifacts', spec.kind))).toEqual([]);
  });

  it('gives two builders at once the result of the one that finished first', async () => {
    const slowMayFinish = gate();
    const slowStarted = gate();
    const slow = store.build(spec, async (directory) => {
      slowStarted.open();
      await slowMayFinish.opened;
      await writeFile(join(directory, 'rows.jsonl'), '{"id":"slow"}\n');
      return 1;
    });
    await slowStarted.opened;

    const fast = await openStore(workspace).build(spec, fill);
    slowMayFinish.open();

    expect(await slow).toEqual(fast);
    expect(await rowsOf(store, fast)).toEqual([{ id: 'x' }]);
    expect(await readdir(join(workspace, 'artifacts', spec.kind))).toEqual([fast.key]);
  });

  it('publishes one result of many builders at once', async () => {
    const stores = Array.from({ length: 8 }, () => openStore(workspace));

    const refs = await Promise.all(stores.map((each) => each.build(spec, fill)));

    expect(new Set(refs.map((each) => JSON.stringify(each))).size).toBe(1);
    await store.verify(await store.build(spec, fill));
  });

  it('is not confused by the folder a killed builder left, and removes it', async () => {
    const home = join(workspace, 'artifacts', spec.kind);
    const leftover = join(home, `.tmp-${store.key(spec)}-killed`);
    await mkdir(leftover, { recursive: true });
    await writeFile(join(leftover, 'rows.jsonl'), '{"id":"to');

    expect(await store.find(spec.kind, store.key(spec))).toBeNull();
    const built = await store.build(spec, fill);

    expect(await rowsOf(store, built)).toEqual([{ id: 'x' }]);
    expect(await readdir(home)).toEqual([built.key]);
  });

  it('refuses a symbolic link among the files', async () => {
    const made = store.build(spec, async (directory) => {
      await symlink('/etc/hostname', join(directory, 'rows.jsonl'));
      return 0;
    });

    await expect(made).rejects.toThrow('got a link or device: rows.jsonl');
  });

  it('keeps any set of names and bytes unchanged', async () => {
    const name = fc.stringMatching(/^[a-z0-9_-]{1,12}$/);
    const files = fc.dictionary(name, fc.uint8Array({ maxLength: 200 }), { maxKeys: 6 });
    await fc.assert(
      fc.asyncProperty(files, fc.nat(), async (contents, seed) => {
        const built = await store.build(
          { ...spec, parameters: { seed, files: Object.keys(contents) } },
          async (directory) => {
            for (const [file, bytes] of Object.entries(contents)) {
              await writeFile(join(directory, file), bytes);
            }
            return 0;
          },
        );

        await rm(store.directory(built), { recursive: true });
        const rebuilt = await openStore(workspace).build(
          { ...spec, parameters: { files: Object.keys(contents), seed } },
          async (directory) => {
            for (const [file, bytes] of Object.entries(contents).reverse()) {
              await writeFile(join(directory, file), bytes);
            }
            return 0;
          },
        );
        expect(rebuilt).toEqual(built);
      }),
      { numRuns: 30 },
    );
  });
});

describe('publish', () => {
  it('moves a filled folder into the store', async () => {
    const work = await store.workDirectory('adapter', 'a'.repeat(32));
    await mkdir(join(work, 'output'));
    const numRecords = await fill(join(work, 'output'));

    const published = await store.publish(spec, join(work, 'output'), numRecords);

    await store.verify(published);
    expect(await readdir(work)).toEqual([]);
  });

  it('takes a folder up again whose publisher died after the manifest', async () => {
    const work = await store.workDirectory('adapter', 'a'.repeat(32));
    const output = join(work, 'output');
    await mkdir(output);
    await fill(output);
    await writeFile(join(output, 'manifest.json'), '{"half a mani');

    await store.verify(await store.publish(spec, output, 1));
  });
});

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
