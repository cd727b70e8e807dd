import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ModelArtifact, modelFolder } from '../../../activities/model.ts';
import { modelFiles } from '../../../activities/model-files.ts';
import { RunConfig } from '../../../contract/run-config.ts';
import { hubModelDir } from '../../../store/layout.ts';
import { temporaryDirectory } from '../store/temporary.ts';
import { type GpuWorkspace, gpuWorkspace } from './gpu-workspace.ts';

const COMMIT = '0123456789'.repeat(4);
const HUB_SOURCE = `hub:owner/name@${COMMIT}`;

async function resolved(gpu: GpuWorkspace, source?: string) {
  const config = await gpu.config(source === undefined ? {} : { model: { source } });
  const found = await gpu.activities.resolveModel({ config });
  const { config: parsed } = await gpu.deps.store.readJson(config, 'config.json', RunConfig);
  return { ...found, source: parsed.model.source };
}

describe('resolveModel', () => {
  it('makes an artifact of the hashes of what loading reads, without a path', async () => {
    const gpu = await gpuWorkspace();

    const { model, architecture } = await resolved(gpu);

    expect(architecture).toBe('FakeForTests');
    const record = await gpu.deps.store.readJson(model, 'model.json', ModelArtifact);
    expect(record.files.map(({ name }) => name)).toEqual([
      'config.json',
      'model.safetensors',
      'tokenizer.json',
    ]);
    expect(JSON.stringify(await gpu.deps.store.verify(model))).not.toContain(gpu.workspace);
  });

  it('gives the same weights elsewhere the same artifact', async () => {
    const one = await resolved(await gpuWorkspace());
    const other = await resolved(await gpuWorkspace());

    expect(other.model).toEqual(one.model);
  });

  it('asks Python about a checkpoint once', async () => {
    const gpu = await gpuWorkspace();

    await resolved(gpu);
    await resolved(gpu);

    expect(gpu.events('request')).toHaveLength(1);
  });

  it('names the shard of weights that is missing', async () => {
    const gpu = await gpuWorkspace();
    const index = { weight_map: { a: 'model-00001.safetensors', b: 'model-00002.safetensors' } };
    await writeFile(join(gpu.modelFolder, 'model.safetensors.index.json'), JSON.stringify(index));
    await writeFile(join(gpu.modelFolder, 'model-00001.safetensors'), '');

    const resolving = resolved(gpu);

    await expect(resolving).rejects.toThrow('model-00002.safetensors is not there');
    await expect(resolving).rejects.toMatchObject({ type: 'ModelInvalid', nonRetryable: true });
  });

  it('downloads a hub model into the workspace once', async () => {
    const gpu = await gpuWorkspace();

    const { model } = await resolved(gpu, HUB_SOURCE);
    await resolved(gpu, HUB_SOURCE);

    const commands = gpu.events('request').map((each) => each['command']);
    expect(commands).toEqual(['download_model', 'inspect_model']);
    expect(await modelFolder(gpu.deps, HUB_SOURCE, model)).toBe(
      hubModelDir(gpu.workspace, 'owner/name', COMMIT),
    );
  });

  it('takes a hub model that somebody put where it belongs, without any network', async () => {
    const gpu = await gpuWorkspace();
    const folder = hubModelDir(gpu.workspace, 'owner/name', COMMIT);
    await mkdir(folder, { recursive: true });
    for (const name of ['config.json', 'model.safetensors']) {
      await symlink(join(gpu.modelFolder, name), join(folder, name));
    }

    await resolved(gpu, HUB_SOURCE);

    expect(gpu.events('request').map((each) => each['command'])).toEqual(['inspect_model']);
  });
});

describe('modelFolder', () => {
  it('is the folder of the source while its files are those of the artifact', async () => {
    const gpu = await gpuWorkspace();
    const { model, source } = await resolved(gpu);

    expect(await modelFolder(gpu.deps, source, model)).toBe(gpu.modelFolder);
  });

  it.each([
    ['model.safetensors', 'changed', (path: string) => writeFile(path, 'WEIGHTS')],
    ['tokenizer.json', 'gone', (path: string) => rm(path)],
    ['extra.json', 'new', (path: string) => writeFile(path, '{}')],
  ])('refuses when %s is %s', async (name, _how, change) => {
    const gpu = await gpuWorkspace();
    const { model, source } = await resolved(gpu);

    await change(join(gpu.modelFolder, name));

    const finding = modelFolder(gpu.deps, source, model);

    await expect(finding).rejects.toThrow(`but ${name} is another`);
    await expect(finding).rejects.toMatchObject({ code: 'ModelInvalid' });
  });
});

describe('modelFiles', () => {
  it('reads a file once, and again only when it was touched', async () => {
    const folder = await temporaryDirectory();
    const note = join(await temporaryDirectory(), 'note.json');
    await writeFile(join(folder, 'config.json'), '{}');
    await writeFile(join(folder, 'model.safetensors'), 'weights');
    const read: number[] = [];
    const files = () => modelFiles(folder, note, (bytes) => read.push(bytes));

    const first = await files();
    const second = await files();
    await rm(join(folder, 'config.json'));
    await writeFile(join(folder, 'config.json'), '[]');
    const third = await files();

    expect(read).toEqual([2, 7, 2]);
    expect(second).toEqual(first);
    expect(third[0]?.sha256).not.toBe(first[0]?.sha256);
    expect(third[1]).toEqual(first[1]);
  });

  it('hashes again when its note is damaged', async () => {
    const folder = await temporaryDirectory();
    const note = join(await temporaryDirectory(), 'note.json');
    await writeFile(join(folder, 'config.json'), '{}');
    const first = await modelFiles(folder, note, () => undefined);

    await writeFile(note, '{"files":[{"na');

    expect(await modelFiles(folder, note, () => undefined)).toEqual(first);
    expect(existsSync(note)).toBe(true);
    expect((await readdir(join(note, '..'))).length).toBe(1);
  });
});
