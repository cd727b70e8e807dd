import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runDir, workDir } from '../../../store/layout.ts';
import { resolveInside } from '../../../store/paths.ts';
import { temporaryDirectory } from './temporary.ts';

/** root/a.png, root/sub/b.png, outside.png beside the root, and links of both kinds. */
async function plantedRoot(): Promise<string> {
  const base = await temporaryDirectory();
  const root = join(base, 'root');
  await mkdir(join(root, 'sub'), { recursive: true });
  await writeFile(join(root, 'a.png'), '');
  await writeFile(join(root, 'sub', 'b.png'), '');
  await writeFile(join(base, 'outside.png'), '');
  await mkdir(join(base, 'root-of-another'));
  await symlink('../outside.png', join(root, 'link-out.png'));
  await symlink('..', join(root, 'folder-out'));
  await symlink('sub/b.png', join(root, 'link-in.png'));
  await symlink('loop.png', join(root, 'loop.png'));
  return root;
}

describe('resolveInside', () => {
  it.each([
    ['a.png', 'a.png'],
    ['./a.png', 'a.png'],
    ['sub/b.png', 'sub/b.png'],
    ['sub/../a.png', 'a.png'],
    ['link-in.png', 'sub/b.png'],
    ['..sub/../a.png', 'a.png'],
  ])('finds %s', async (name, path) => {
    const root = await plantedRoot();

    expect(await resolveInside(root, name)).toEqual({ outcome: 'found', path: join(root, path) });
  });

  it.each([
    '../outside.png',
    'sub/../../outside.png',
    '/etc/passwd',
    'link-out.png',
    'folder-out/outside.png',
    '../root-of-another',
    '..',
    'a.png\0.jpg',
  ])('refuses %j as outside the root', async (name) => {
    expect(await resolveInside(await plantedRoot(), name)).toEqual({ outcome: 'outside_root' });
  });

  it.each(['no.png', 'a.png/b', 'loop.png', `${'x'.repeat(300)}.png`])(
    'says that %j is missing',
    async (name) => {
      expect(await resolveInside(await plantedRoot(), name)).toEqual({ outcome: 'missing' });
    },
  );
});

describe('layout', () => {
  it.each(['', '..', 'a/b', '../x', 'A', '-a'])('refuses the run id %j', (id) => {
    expect(() => runDir('/workspace', id)).toThrow('Expected a run id');
  });

  it('refuses a key that is no key', () => {
    expect(() => workDir('/workspace', 'adapter', '../../etc')).toThrow();
  });
});
