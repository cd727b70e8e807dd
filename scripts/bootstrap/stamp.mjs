// Stamps say for which inputs a finished step was done. A stamp lies inside what it vouches for
// (node_modules, .venv, dist), so deleting the thing deletes the claim.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** Files below `paths` (files or folders), sorted. */
function filesBelow(paths) {
  const found = [];
  const visit = (path) => {
    if (!existsSync(path)) return;
    const entries = readDirectory(path);
    if (entries === undefined) found.push(path);
    else for (const entry of entries) visit(join(path, entry));
  };
  for (const path of paths) visit(path);
  return found.sort();
}

function readDirectory(path) {
  try {
    return readdirSync(path);
  } catch (error) {
    if (error.code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/**
 * Hash of names and bytes of all files below `paths`, and of `extra` facts such as the Node version.
 * @param {string} root names are taken relative to it
 * @param {readonly string[]} paths
 * @param {{extra?: readonly string[]}} [options]
 */
export function hashFiles(root, paths, { extra = [] } = {}) {
  const hash = createHash('sha256');
  for (const fact of extra) hash.update(`${fact}\n`);
  for (const path of filesBelow(paths)) {
    hash
      .update(`${relative(root, path)}\0`)
      .update(readFileSync(path))
      .update('\0');
  }
  return hash.digest('hex');
}

/** Whether the stamp at `path` says exactly `value`. */
export function stampIs(path, value) {
  return existsSync(path) && readFileSync(path, 'utf8') === value;
}

/** Writes a stamp in one step, so that a kill leaves either the old claim or the new one. */
export function writeStamp(path, value) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, value);
  renameSync(temporary, path);
}
