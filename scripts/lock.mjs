// Writes package-lock.json anew (`npm run lock`), for every platform, without registry addresses.
//
// npm leaves an optional package of another platform out of the lock when its registry does not serve
// it (mirrors often carry Linux builds only), and `npm ci` then refuses the lock everywhere. Version and
// platform of such a package are known from its parent and its name, so the entry is written from them;
// only its integrity stays open, and only on the platforms that the mirror lacked.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'openharmony', 'sunos', 'win32'];
const CPU = ['arm64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64'];

/**
 * @typedef {object} LockedPackage
 * @property {string} [version]
 * @property {string} [integrity]
 * @property {boolean} [dev]
 * @property {boolean} [optional]
 * @property {string[]} [os]
 * @property {string[]} [cpu]
 * @property {string[]} [libc]
 * @property {Record<string, string>} [optionalDependencies]
 */

/**
 * Platform fields read from a name such as `@swc/core-linux-s390x-gnu`.
 * @param {string} name
 */
export function platformOf(name) {
  const words = name.split(/[-/]/);
  const os = OS.find((candidate) => words.includes(candidate));
  const cpu = CPU.find((candidate) => words.includes(candidate));
  if (os === undefined || cpu === undefined) return undefined;
  const libc = words.some((word) => word.startsWith('musl'))
    ? 'musl'
    : words.some((word) => word.startsWith('gnu'))
      ? 'glibc'
      : undefined;
  return { os: [os], cpu: [cpu], ...(libc === undefined ? {} : { libc: [libc] }) };
}

/**
 * Adds an entry for each optional platform package that a locked package names and the lock lacks.
 * @param {Record<string, LockedPackage>} packages
 * @returns {Record<string, LockedPackage>}
 */
export function completePlatforms(packages) {
  const complete = { ...packages };
  for (const parent of Object.values(packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const platform = platformOf(name);
      const path = `node_modules/${name}`;
      if (platform === undefined || path in complete || !/^\d/.test(version)) continue;
      const dev = parent.dev === true ? { dev: true } : {};
      complete[path] = { version, ...platform, ...dev, optional: true };
    }
  }
  const [root, ...rest] = Object.keys(complete);
  return Object.fromEntries([root, ...rest.sort()].map((path) => [path, complete[path]]));
}

/** Lets npm resolve package.json in an empty folder: a tree on disk would be read instead of the registry. */
function resolveAnew() {
  const folder = mkdtempSync(join(tmpdir(), 'sticflow-lock-'));
  try {
    for (const name of ['package.json', '.npmrc']) cpSync(join(ROOT, name), join(folder, name));
    execFileSync('npm', ['install', '--package-lock-only'], { cwd: folder, stdio: 'inherit' });
    return JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lock = resolveAnew();
  const packages = completePlatforms(lock.packages);
  const text = `${JSON.stringify({ ...lock, packages }, null, 2)}\n`;
  writeFileSync(join(ROOT, 'package-lock.json'), text);
  const added = Object.keys(packages).length - Object.keys(lock.packages).length;
  console.log(`package-lock.json: ${Object.keys(packages).length} packages, ${added} by name only`);
}
