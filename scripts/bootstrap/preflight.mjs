// What must hold before anything is downloaded: checked at once, so that nobody waits ten minutes for a refusal.
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { SetupError } from './setup-error.mjs';

/** The oldest Node that `package.json` names. */
const NODE_FLOOR = [20, 10];

/** Measured on Linux: 5.5 GB of Python environment (torch brings CUDA), 0.6 GB of npm packages, and room to unpack. */
const DISK_BYTES_FRESH = 9e9;

/** A ready tree still writes build output and a run's workspace. */
const DISK_BYTES_READY = 1e9;

/** @throws {SetupError} when this Node is older than the floor */
export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  const [floorMajor, floorMinor] = NODE_FLOOR;
  if (major > floorMajor || (major === floorMajor && minor >= floorMinor)) return;
  throw new SetupError(
    `Expected Node ${floorMajor}.${floorMinor} or newer, got ${version}: install a newer Node from your package manager or nvm and run the same command again.`,
  );
}

/** @throws {SetupError} when `root` cannot be written or its disk is too small for what is still missing */
export function checkDisk(root, { ready, freeBytes = freeBytesAt(root) }) {
  try {
    accessSync(root, constants.W_OK);
  } catch {
    throw new SetupError(
      `Expected ${root} to be writable: clone sticflow into a folder that you own, or give this user write access to it.`,
    );
  }
  const needed = ready ? DISK_BYTES_READY : DISK_BYTES_FRESH;
  if (freeBytes >= needed) return;
  throw new SetupError(
    `Expected ${gigabytes(needed)} of free disk at ${root}, got ${gigabytes(freeBytes)}: free some space or clone onto a larger disk.`,
  );
}

function freeBytesAt(path) {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(1)} GB`;

/** @throws {SetupError} when this is no checkout with its lock files */
export function checkCheckout(paths) {
  const missing = paths.filter((path) => !existsSync(path));
  if (missing.length === 0) return;
  throw new SetupError(
    `Expected ${missing.join(', ')} in the checkout: restore it with git checkout, or clone again.`,
  );
}
