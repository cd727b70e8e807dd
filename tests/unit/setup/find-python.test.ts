// The Pythons here are shell programs that answer the probe as a Python of that kind would.
import { describe, expect, it } from 'vitest';
import { findPython } from '../../../scripts/bootstrap/find-python.mjs';
import { isolatedPath, temporaryFolder, writeProgram } from '../../setup/programs.ts';

interface FakePython {
  readonly name: string;
  readonly version: readonly [number, number, number];
  readonly venv?: boolean;
}

function find(pythons: readonly FakePython[], options: { needsVenv: boolean }) {
  const folder = temporaryFolder();
  for (const { name, version, venv = true } of pythons) {
    const answer = JSON.stringify({ path: `/opt/${name}`, version, venv });
    writeProgram(folder, name, `echo '${answer}'`);
  }
  // A shim of a version manager: on PATH, but it runs nothing.
  writeProgram(folder, 'python3.13', 'echo "python3.13: command not found" >&2; exit 127');
  return findPython({ ...options, env: { PATH: isolatedPath(folder) } });
}

describe('findPython', () => {
  it('takes the newest that runs and skips shims', () => {
    const found = find(
      [
        { name: 'python3', version: [3, 11, 2] },
        { name: 'python3.12', version: [3, 12, 1] },
      ],
      { needsVenv: true },
    );

    expect(found.path).toBe('/opt/python3.12');
  });

  it('passes over a newer one that cannot make environments', () => {
    const found = find(
      [
        { name: 'python3.12', version: [3, 12, 1], venv: false },
        { name: 'python3.11', version: [3, 11, 7] },
      ],
      { needsVenv: true },
    );

    expect(found.path).toBe('/opt/python3.11');
  });

  it('does without the venv module where uv makes the environment', () => {
    const found = find([{ name: 'python3', version: [3, 11, 2], venv: false }], {
      needsVenv: false,
    });

    expect(found.path).toBe('/opt/python3');
  });

  it('says how to get the venv module', () => {
    expect(() =>
      find([{ name: 'python3', version: [3, 11, 2], venv: false }], { needsVenv: true }),
    ).toThrow(
      'Python 3.11.2 at /opt/python3 has no venv module: install it (Debian and Ubuntu: apt-get install python3.11-venv) or put uv on PATH',
    );
  });

  it.each([
    ['none', []],
    ['3.9.2 at /opt/python3', [{ name: 'python3', version: [3, 9, 2] }]],
    ['3.14.0 at /opt/python3', [{ name: 'python3', version: [3, 14, 0] }]],
  ] as const)('says that it wants 3.11 to 3.13 when there is %s', (got, pythons) => {
    expect(() => find(pythons, { needsVenv: true })).toThrow(
      `Expected Python 3.11, 3.12 or 3.13 on PATH, got ${got}: install one`,
    );
  });
});
