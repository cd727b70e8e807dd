/** Where the parity data lies. It is not for redistribution, so it stands beside the repository. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPOSITORY = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const ROOT = resolve(process.env['STICFLOW_SHARED'] ?? join(REPOSITORY, '..', 'shared'), 'parity');

export function parityPath(...parts: string[]): string {
  return join(ROOT, ...parts);
}

export function isParityDataThere(): boolean {
  return existsSync(ROOT);
}

/** What to tell a person who has not got it. */
export const NO_PARITY_DATA = `No parity data at ${ROOT}. Put it there, or name the folder that holds "parity" in STICFLOW_SHARED.`;

/** A JSON object of the data; its shape is what its SOURCE.md says. */
export function parityJson<T>(...parts: string[]): Record<string, T> {
  // Test data with a known shape: no schema would tell more than a failing comparison.
  return JSON.parse(readFileSync(parityPath(...parts), 'utf8')) as Record<string, T>;
}

export function parityLines<T>(...parts: string[]): T[] {
  return readFileSync(parityPath(...parts), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T); // As above.
}
