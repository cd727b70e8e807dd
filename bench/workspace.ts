/** A workspace that goes with the benchmark. */
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TemporaryWorkspace extends AsyncDisposable {
  readonly dir: string;
}

export async function temporaryWorkspace(): Promise<TemporaryWorkspace> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'sticflow-bench-')));
  return {
    dir,
    [Symbol.asyncDispose]: async () => {
      await rm(dir, { recursive: true, force: true });
    },
  };
}
