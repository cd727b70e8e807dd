/** The one resolver of names that came from data: nothing it returns lies outside the root. */
import { realpath } from 'node:fs/promises';
import { isAbsolute, join, normalize, relative, sep } from 'node:path';
import { hasErrorCode } from './errors.ts';

export type ResolvedName =
  | { readonly outcome: 'found'; readonly path: string }
  | { readonly outcome: 'missing' | 'outside_root' };

/**
 * Finds `name` below `root`, following symbolic links; a link or `..` that leads out of the root
 * is `outside_root`, whether or not something is there.
 */
export async function resolveInside(root: string, name: string): Promise<ResolvedName> {
  if (name.includes('\0') || isAbsolute(name) || climbsOut(name)) {
    return { outcome: 'outside_root' };
  }
  try {
    const path = await realpath(join(root, name));
    return contains(await realpath(root), path)
      ? { outcome: 'found', path }
      : { outcome: 'outside_root' };
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) {
      return { outcome: 'missing' };
    }
    throw error;
  }
}

function climbsOut(name: string): boolean {
  return normalize(name).split(sep)[0] === '..';
}

function contains(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
