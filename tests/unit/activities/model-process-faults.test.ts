import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SticflowError } from '../../../store/errors.ts';
import { logsDir } from '../../../store/layout.ts';
import { temporaryDirectory } from '../store/temporary.ts';
import {
  type Fake,
  type Faults,
  fakeCommand,
  fakeModelProcesses,
  generateRequest,
  isAlive,
  readJournal,
} from './fake-model-process.ts';

const OWNER = fileURLToPath(new URL('../../fixtures/model-process-owner.ts', import.meta.url));
const STALL_TIMEOUT_MS = 15_000;

/** Runs one request against a process with faults and returns what it failed with. */
async function failureOf(
  workspace: string,
  faults: Faults,
  stallTimeoutMs = STALL_TIMEOUT_MS,
): Promise<SticflowError & { fake: Fake }> {
  const fake = fakeModelProcesses(workspace, faults);
  const { signal } = new AbortController();
  try {
    await fake.processes.run(await generateRequest(workspace), { signal, stallTimeoutMs });
  } catch (error) {
    if (error instanceof SticflowError) return Object.assign(error, { fake });
    throw error;
  }
  throw new Error('expected a failure');
}

describe('a process that fails', () => {
  it('is told by its own code, with the end of its log', async () => {
    const failure = await failureOf(await temporaryDirectory(), ['--out-of-memory']);

    expect(failure.code).toBe('OutOfMemory');
    expect(failure.details).toMatchObject({ largest: 'row 7', log: ['a traceback'] });
  });

  it('is a defect of ours when the code is none of the contract', async () => {
    const failure = await failureOf(await temporaryDirectory(), ['--unknown-code']);

    expect(failure).toMatchObject({ code: 'Internal', message: 'Whatever: Expected luck' });
  });

  it('is dead when it is killed, probably for lack of memory; half a message is no message', async () => {
    const workspace = await temporaryDirectory();

    const failure = await failureOf(workspace, ['--crash-at', '2']);

    expect(failure.code).toBe('ModelProcessDied');
    expect(failure.message).toContain('probably for lack of memory');
    expect(failure.details).toMatchObject({ signal: 'SIGKILL', log: ['crash at 2'] });
    expect(await logOf(workspace)).toContain('torn message: {"type": "progr');
  });

  it('is dead with its exit code when it exits without a result', async () => {
    const failure = await failureOf(await temporaryDirectory(), ['--exit-at', '1']);

    expect(failure.code).toBe('ModelProcessDied');
    expect(failure.message).toContain('(exit code 1)');
    expect(failure.message).not.toContain('memory');
  });

  it('is dead for lack of memory when a container says 137', async () => {
    const faults = ['--exit-at', '1', '--exit-code', '137'];

    const failure = await failureOf(await temporaryDirectory(), faults);

    expect(failure.message).toContain('probably for lack of memory');
  });

  it('is killed when it makes no progress', async () => {
    const failure = await failureOf(await temporaryDirectory(), ['--hang-at', '2'], 1_500);

    expect(failure.code).toBe('ModelProcessStalled');
    expect(failure.message).toContain('no progress for 1.5 s');
    expect(isAlive(failure.fake.events('start')[0]?.pid)).toBe(false);
  });

  it('is killed when it never says hello', async () => {
    const failure = await failureOf(await temporaryDirectory(), ['--silent'], 1_500);

    expect(failure.code).toBe('ModelProcessStalled');
  });

  it('is refused when it speaks another protocol version', async () => {
    const failure = await failureOf(await temporaryDirectory(), ['--protocol-version', '2']);

    expect(failure.code).toBe('ProtocolMismatch');
    expect(failure.message).toContain('Expected a model process of protocol version 1, got 2');
    expect(failure.fake.events('request')).toEqual([]);
  });

  it('is killed when a line never ends', async () => {
    const failure = await failureOf(await temporaryDirectory(), ['--long-line']);

    expect(failure.code).toBe('Internal');
    expect(failure.message).toContain('at most 1048576 bytes');
  });

  it('is named when it cannot be started', async () => {
    const workspace = await temporaryDirectory();
    const { processes } = fakeModelProcesses(workspace, [], { command: ['/no/python'] });
    const { signal } = new AbortController();

    const run = processes.run(await generateRequest(workspace), { signal, stallTimeoutMs: 1_000 });

    await expect(run).rejects.toThrow('Expected a Python interpreter at /no/python');
  });

  it('does nothing twice: the next attempt goes on where it died', async () => {
    const workspace = await temporaryDirectory();
    const failure = await failureOf(workspace, ['--crash-at', '3']);
    const { signal } = new AbortController();

    const request = await generateRequest(workspace);
    await failure.fake.processes.run(request, { signal, stallTimeoutMs: STALL_TIMEOUT_MS });

    expect(failure.fake.events('item').map((item) => item['number'])).toEqual([1, 2, 3]);
  });

  it('may say on stdout and to strangers what it likes: all of it lands in the log', async () => {
    const workspace = await temporaryDirectory();
    const { processes } = fakeModelProcesses(workspace, ['--garbage']);
    const { signal } = new AbortController();

    const options = { signal, stallTimeoutMs: STALL_TIMEOUT_MS };
    const result = await processes.run(await generateRequest(workspace), options);

    expect(result.num_records).toBe(3);
    const log = await logOf(workspace);
    for (const said of ['a library greets', 'not JSON', 'rumour', 'of somebody else']) {
      expect(log).toContain(said);
    }
  });
});

describe('cancelling', () => {
  it('throws the very reason of the signal, after the process has saved and is gone', async () => {
    const workspace = await temporaryDirectory();
    const fake = fakeModelProcesses(workspace, ['--hang-at', '2']);
    const abort = new AbortController();
    const reason = new Error('CANCELLED by Temporal');
    const options = { signal: abort.signal, stallTimeoutMs: STALL_TIMEOUT_MS };
    const running = fake.processes.run(await generateRequest(workspace), options);
    const failure = running.catch((error: unknown) => error);
    await expect.poll(() => fake.events('hang')).toHaveLength(1);

    abort.abort(reason);

    expect(await failure).toBe(reason);
    expect(fake.events('sigterm')).toHaveLength(1);
    expect(isAlive(fake.events('start')[0]?.pid)).toBe(false);
  });

  it('kills a process that does not stop within its grace', async () => {
    const workspace = await temporaryDirectory();
    const faults = ['--hang-at', '2', '--ignore-sigterm'];
    const fake = fakeModelProcesses(workspace, faults, { stopGraceMs: 300 });
    const abort = new AbortController();
    const options = { signal: abort.signal, stallTimeoutMs: STALL_TIMEOUT_MS };
    const running = fake.processes.run(await generateRequest(workspace), options);
    const failure = running.catch((error: unknown) => error);
    await expect.poll(() => fake.events('hang')).toHaveLength(1);

    abort.abort('now');

    expect(await failure).toBe('now');
    expect(isAlive(fake.events('start')[0]?.pid)).toBe(false);
  });

  it('starts no process when the signal is aborted already', async () => {
    const workspace = await temporaryDirectory();
    const fake = fakeModelProcesses(workspace);
    const options = { signal: AbortSignal.abort('before'), stallTimeoutMs: STALL_TIMEOUT_MS };

    const running = fake.processes.run(await generateRequest(workspace), options);

    await expect(running).rejects.toBe('before');
    expect(fake.journal()).toEqual([]);
  });
});

describe('a grandchild that holds the pipes', () => {
  it('goes when the process is cancelled, and holds nothing up', async () => {
    const workspace = await temporaryDirectory();
    const fake = fakeModelProcesses(workspace, ['--hang-at', '2', '--grandchild']);
    const abort = new AbortController();
    const options = { signal: abort.signal, stallTimeoutMs: STALL_TIMEOUT_MS };
    const running = fake.processes.run(await generateRequest(workspace), options);
    const failure = running.catch((error: unknown) => error);
    await expect.poll(() => fake.events('hang')).toHaveLength(1);

    const start = performance.now();
    abort.abort('now');
    await failure;

    expect(performance.now() - start).toBeLessThan(3_000);
    await expect.poll(() => isAlive(fake.events('grandchild')[0]?.pid)).toBe(false);
  });

  it('goes when the process crashes, and holds nothing up', async () => {
    const failure = await failureOf(await temporaryDirectory(), [
      '--crash-at',
      '2',
      '--grandchild',
    ]);

    expect(failure.code).toBe('ModelProcessDied');
    await expect.poll(() => isAlive(failure.fake.events('grandchild')[0]?.pid)).toBe(false);
  });
});

describe('a worker that goes', () => {
  it.each(['SIGKILL', 'exit'] as const)(
    'by %s takes the process and its children along',
    async (how) => {
      const workspace = await temporaryDirectory();
      const owner = startOwner(workspace, ['--hang-at', '2', '--grandchild']);
      const pids = (): (number | undefined)[] =>
        readJournal(workspace).flatMap(({ event, pid }) =>
          event === 'start' || event === 'grandchild' ? [pid] : [],
        );
      await expect
        .poll(() => readJournal(workspace).some(({ event }) => event === 'hang'), {
          timeout: 15_000,
        })
        .toBe(true);
      expect(pids().map(isAlive)).toEqual([true, true]);

      const gone = once(owner, 'exit');
      if (how === 'exit') owner.stdin?.end();
      else owner.kill('SIGKILL');
      await gone;

      await expect.poll(() => pids().map(isAlive)).toEqual([false, false]);
    },
  );
});

/** A worker in a process of its own; it exits without any cleaning up when its stdin ends. */
function startOwner(workspace: string, faults: Faults): ChildProcess {
  const command = JSON.stringify(fakeCommand(workspace, faults));
  return spawn(process.execPath, ['--import', 'tsx', OWNER, workspace, command], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
}

async function logOf(workspace: string): Promise<string> {
  const [name = ''] = await readdir(logsDir(workspace));
  return readFile(join(logsDir(workspace), name), 'utf8');
}
