import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { exclusively } from '../../../cli/temporal-server/exclusive.mjs';
import { temporaryFolder } from '../../setup/programs.ts';

const MODULE = fileURLToPath(
  new URL('../../../cli/temporal-server/exclusive.mjs', import.meta.url),
);

/** A process that appends its number twice to a file while it holds the lock. */
const WRITER = `
  const { exclusively } = await import(${JSON.stringify(MODULE)});
  const { appendFileSync } = await import('node:fs');
  const [lock, out, number] = process.argv.slice(1);
  await exclusively(lock, async () => {
    appendFileSync(out, number);
    await new Promise((resolve) => setTimeout(resolve, 20));
    appendFileSync(out, number);
  });
`;

function ended(child: ReturnType<typeof spawn>): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', resolve));
}

describe('exclusively', () => {
  it('lets processes in one after the other', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'out');
    const numbers = ['1', '2', '3', '4'];

    const codes = await Promise.all(
      numbers.map((number) =>
        ended(
          spawn(process.execPath, ['-e', WRITER, '--', join(folder, 'lock'), out, number], {
            stdio: 'inherit',
          }),
        ),
      ),
    );

    expect(codes).toEqual([0, 0, 0, 0]);
    // Each number stands beside its twin: nobody wrote in between.
    expect(readFileSync(out, 'utf8')).toMatch(/^(?:(\d)\1){4}$/);
    expect(existsSync(join(folder, 'lock'))).toBe(false);
  });

  it('takes over the lock of a process that was killed', async () => {
    const lock = join(temporaryFolder(), 'lock');
    const victim = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    victim.kill('SIGKILL');
    await ended(victim);
    writeFileSync(lock, String(victim.pid));

    await expect(exclusively(lock, () => Promise.resolve('done'))).resolves.toBe('done');
  });

  it('tells once whom it waits for', async () => {
    const lock = join(temporaryFolder(), 'lock');
    const told: number[] = [];
    let finish: () => void = () => undefined;
    const first = exclusively(lock, () => new Promise<void>((resolve) => (finish = resolve)));
    const second = exclusively(
      lock,
      () => Promise.resolve(),
      (pid) => {
        told.push(pid);
        finish();
      },
    );

    await Promise.all([first, second]);

    expect(told).toEqual([process.pid]);
  });

  it('frees the lock when the work fails', async () => {
    const lock = join(temporaryFolder(), 'lock');

    await expect(exclusively(lock, () => Promise.reject(new Error('no')))).rejects.toThrow('no');

    expect(existsSync(lock)).toBe(false);
  });
});
