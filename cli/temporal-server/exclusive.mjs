// @ts-check
// One at a time across processes, by a lock file that holds a process id. Used for the set-up (which runs before
// any package is installed, hence plain JavaScript) and for starting the embedded server.
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MILLISECONDS = 100;

/**
 * Whether a process with this id exists.
 * @param {number} pid
 */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it exists and belongs to somebody else.
    return codeOf(error) === 'EPERM';
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/**
 * Process id in the lock file; undefined when there is no file.
 * @param {string} path
 */
function readHolder(path) {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Takes the lock, or returns the id of the live process that holds it.
 * @param {string} path
 * @returns {number | undefined}
 */
function tryLock(path) {
  // A link appears with its content: nobody ever reads a lock file that has no pid in it yet.
  const own = `${path}.${String(process.pid)}`;
  writeFileSync(own, String(process.pid));
  try {
    linkSync(own, path);
    return undefined;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(own, { force: true });
  }
  const holder = readHolder(path);
  if (holder !== undefined && isAlive(holder)) return holder;
  // Its owner was killed. Comparing again keeps a second waiter from removing the lock of the first; what is
  // left is a window of microseconds after a kill.
  if (holder === readHolder(path)) rmSync(path, { force: true });
  return tryLock(path);
}

/**
 * Runs `work` while holding the lock file; `onWait` is told once whose end is awaited.
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {(pid: number) => void} [onWait]
 * @returns {Promise<T>}
 */
export async function exclusively(path, work, onWait = () => undefined) {
  for (let holder = tryLock(path), told = false; holder !== undefined; holder = tryLock(path)) {
    if (!told) onWait(holder);
    told = true;
    await delay(POLL_MILLISECONDS);
  }
  const release = () => {
    rmSync(path, { force: true });
  };
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}
