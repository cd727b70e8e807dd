/** Real programs for tests of what starts programs: small scripts with the behaviour that a test needs. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder of its own for one test, gone after it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sticflow-test-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Writes a POSIX shell program and returns its path. */
export function writeProgram(folder: string, name: string, body: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

/** A PATH with nothing but `folder` and the base system's shell tools, without any Python, Go, uv or Temporal CLI. */
export function isolatedPath(folder: string): string {
  const tools = join(folder, 'tools');
  for (const tool of ['mkdir', 'cp', 'cat', 'touch', 'dirname', 'chmod']) {
    writeProgram(tools, tool, `exec /bin/${tool} "$@"`);
  }
  return `${folder}:${tools}`;
}
