import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SourceRef } from '../../../contract/source.ts';
import { registerSource, resolveSource } from '../../../store/sources.ts';
import { temporaryDirectory } from './temporary.ts';

describe('registerSource', () => {
  it('gives a path the same id every time, and the path back', async () => {
    const workspace = await temporaryDirectory();
    const path = join(workspace, 'photos');
    await mkdir(path);

    const ref = await registerSource(workspace, path);

    expect(SourceRef.parse(ref)).toBe(ref);
    expect(await registerSource(workspace, `${path}/../photos`)).toBe(ref);
    expect(await resolveSource(workspace, ref)).toBe(path);
  });

  it('takes a glob whose folder is there', async () => {
    const workspace = await temporaryDirectory();

    const ref = await registerSource(workspace, join(workspace, '*.{jpg,png}'));

    expect(await resolveSource(workspace, ref)).toBe(join(workspace, '*.{jpg,png}'));
  });

  it('takes a file that has brackets in its name', async () => {
    const workspace = await temporaryDirectory();
    const path = join(workspace, 'set[1]', 'list.json');
    await mkdir(join(workspace, 'set[1]'));
    await writeFile(path, '[]');

    expect(await resolveSource(workspace, await registerSource(workspace, path))).toBe(path);
  });

  it('names the path when nothing is there', async () => {
    const workspace = await temporaryDirectory();

    await expect(registerSource(workspace, join(workspace, 'nothing'))).rejects.toThrow(
      `"${join(workspace, 'nothing')}", there is none`,
    );
  });

  it('refuses a relative path', async () => {
    await expect(registerSource(await temporaryDirectory(), 'photos')).rejects.toThrow(
      'Expected an absolute path, got "photos"',
    );
  });
});

describe('resolveSource', () => {
  it('refuses an id that nobody registered', async () => {
    await expect(
      resolveSource(await temporaryDirectory(), `source:${'a'.repeat(32)}`),
    ).rejects.toMatchObject({ code: 'SourceNotFound' });
  });

  it('fails when a registered path is gone', async () => {
    const workspace = await temporaryDirectory();
    const path = join(workspace, 'photos');
    await mkdir(path);
    const ref = await registerSource(workspace, path);
    await rm(path, { recursive: true });

    await expect(resolveSource(workspace, ref)).rejects.toMatchObject({ code: 'SourceNotFound' });
  });

  it('finds the embedded data in the workspace', async () => {
    const workspace = await temporaryDirectory();
    await mkdir(join(workspace, 'scenes', 'images', 'unlabelled'), { recursive: true });

    expect(await resolveSource(workspace, 'builtin:scenes/images/unlabelled')).toBe(
      join(workspace, 'scenes', 'images', 'unlabelled'),
    );
  });

  it('names what is built in when asked for something else', async () => {
    await expect(
      resolveSource(await temporaryDirectory(), 'builtin:scenes/model/config.json'),
    ).rejects.toThrow('builtin:prompts/stic');
  });
});
