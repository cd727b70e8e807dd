// Finds a Python to make the environment with. Several may be on PATH, some of them only shims.
import { execFileSync } from 'node:child_process';
import { SetupError } from './setup-error.mjs';

/** Newest first; torch has no wheels for what comes after 3.13. */
const CANDIDATES = ['python3.13', 'python3.12', 'python3.11', 'python3'];
const FLOOR = [3, 11];
const CEILING = [3, 14];

const PROBE = `
import json, sys
from importlib.util import find_spec
print(json.dumps({"path": sys.executable, "version": sys.version_info[:3],
                  "venv": find_spec("venv") is not None and find_spec("ensurepip") is not None}))
`;

/** @typedef {{path: string, version: [number, number, number], venv: boolean}} Python */

/**
 * Facts about one candidate, or undefined when it does not run.
 * @param {string} command
 * @param {NodeJS.ProcessEnv} env
 * @returns {Python | undefined}
 */
function probe(command, env) {
  try {
    const output = execFileSync(command, ['-I', '-c', PROBE], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 20_000,
    });
    return JSON.parse(output);
  } catch {
    return undefined;
  }
}

const compare = ([major, minor], [otherMajor, otherMinor]) =>
  major - otherMajor || minor - otherMinor;

/**
 * The first candidate of a supported version; one that can make environments comes before one that cannot.
 * @param {{needsVenv: boolean, env?: NodeJS.ProcessEnv}} options `needsVenv` is false where uv makes the environment
 * @returns {Python}
 * @throws {SetupError} naming what was found instead
 */
export function findPython({ needsVenv, env = process.env }) {
  const found = CANDIDATES.map((command) => probe(command, env)).filter((it) => it !== undefined);
  const supported = found.filter(
    ({ version }) => compare(version, FLOOR) >= 0 && compare(version, CEILING) < 0,
  );
  const usable = supported.find(({ venv }) => venv || !needsVenv);
  if (usable !== undefined) return usable;
  const [first] = supported;
  if (first !== undefined) {
    const [major, minor] = first.version;
    throw new SetupError(
      `Python ${first.version.join('.')} at ${first.path} has no venv module: install it (Debian and Ubuntu: apt-get install python${major}.${minor}-venv) or put uv on PATH, then run the same command again.`,
    );
  }
  const got = found.map(({ path, version }) => `${version.join('.')} at ${path}`).join(', ');
  throw new SetupError(
    `Expected Python 3.11, 3.12 or 3.13 on PATH, got ${got === '' ? 'none' : got}: install one (Debian and Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.12) and run the same command again.`,
  );
}
