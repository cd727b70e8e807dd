import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ModelProcessMessage } from '../../../contract/model-process.ts';
import { logsDir } from '../../../store/layout.ts';
import { temporaryDirectory } from '../store/temporary.ts';
import {
  fakeModelProcesses,
  generateRequest,
  isAlive,
  trainRequest,
} from './fake-model-process.ts';

const options = { signal: new AbortController().signal, stallTimeoutMs: 15_000 };

describe('a request', () => {
  it('comes back with its result after its progress was heard', async () => {
    const workspace = await temporaryDirectory();
    const { processes } = fakeModelProcesses(workspace);
    const heard: ModelProcessMessage[] = [];

    const result = await processes.run(await generateRequest(workspace), {
      ...options,
      onMessage: (message) => heard.push(message),
    });

    expect(result.num_records).toBe(3);
    expect(heard.map(({ type }) => type)).toEqual(['progress', 'progress', 'progress', 'result']);
    const texts = await readFile(join(workspace, 'work/a/output/generations.jsonl'), 'utf8');
    expect(texts.trimEnd().split('\n')).toHaveLength(3);
  });

  it('waits for the one before it: there is one process', async () => {
    const workspace = await temporaryDirectory();
    const { processes, journal } = fakeModelProcesses(workspace);
    const requests = await Promise.all(
      ['a', 'b', 'c'].map((name) => generateRequest(workspace, { name })),
    );

    await Promise.all(requests.map((request) => processes.run(request, options)));

    // Items of two requests are never mixed.
    const order = journal().flatMap(({ event, request_id }) =>
      event === 'item' ? [request_id] : [],
    );
    const [a, b, c] = ['generate/a', 'generate/b', 'generate/c'];
    expect(order).toEqual([a, a, a, b, b, b, c, c, c]);
  });

  it('is refused before Python sees it when it breaks the contract', async () => {
    const workspace = await temporaryDirectory();
    const { processes, journal } = fakeModelProcesses(workspace);
    const request = { ...(await generateRequest(workspace)), batch_size: 0 };

    await expect(processes.run(request, options)).rejects.toThrow('batch_size');
    expect(journal()).toEqual([]);
  });
});

describe('the process', () => {
  it('is kept warm while the model stays the same', async () => {
    const workspace = await temporaryDirectory();
    const { processes, events } = fakeModelProcesses(workspace);

    await processes.run(await generateRequest(workspace), options);
    await processes.run(await generateRequest(workspace, { name: 'b' }), options);

    expect(events('start')).toHaveLength(1);
  });

  it('is kept warm when only the adapter changes', async () => {
    const workspace = await temporaryDirectory();
    const { processes, events } = fakeModelProcesses(workspace);
    const request = await generateRequest(workspace, { name: 'b' });

    await processes.run(await generateRequest(workspace), options);
    const adapter = { path: workspace, sha256: 'b'.repeat(64) };
    await processes.run({ ...request, adapter }, options);

    expect(events('start')).toHaveLength(1);
  });

  it.each([
    ['base', { sha256: 'c'.repeat(64) }],
    ['dtype', { dtype: 'bfloat16' as const }],
    ['device', { device: 'cuda' as const }],
    ['thread count', { num_threads: 2 }],
    ['image backend', { image_backend: 'torchvision' as const }],
  ])('is replaced when the %s changes', async (_name, change) => {
    const workspace = await temporaryDirectory();
    const { processes, events } = fakeModelProcesses(workspace);
    const request = await generateRequest(workspace, { name: 'b' });

    await processes.run(await generateRequest(workspace), options);
    await processes.run({ ...request, model: { ...request.model, ...change } }, options);

    const [first, second] = events('start');
    expect(isAlive(first?.pid)).toBe(false);
    expect(isAlive(second?.pid)).toBe(true);
  });

  it('is gone after a training', async () => {
    const workspace = await temporaryDirectory();
    const { processes, events } = fakeModelProcesses(workspace);

    await processes.run(await trainRequest(workspace), options);

    expect(isAlive(events('start')[0]?.pid)).toBe(false);
  });

  it('is gone after an error, and the next request gets a new one', async () => {
    const workspace = await temporaryDirectory();
    const { processes, events } = fakeModelProcesses(workspace, ['--exit-at', '2']);
    const request = await generateRequest(workspace);

    await expect(processes.run(request, options)).rejects.toThrow('without a result');
    await processes.run(request, options);

    const [first, second] = events('start');
    expect(isAlive(first?.pid)).toBe(false);
    expect(isAlive(second?.pid)).toBe(true);
  });

  it('is replaced when it died between two requests', async () => {
    const workspace = await temporaryDirectory();
    const { processes, events } = fakeModelProcesses(workspace);
    await processes.run(await generateRequest(workspace), options);
    const pid = events('start')[0]?.pid ?? 0;

    process.kill(pid, 'SIGKILL');
    await expect.poll(() => logTail(workspace)).toContain('ended with SIGKILL');
    await processes.run(await generateRequest(workspace, { name: 'b' }), options);

    expect(events('start')).toHaveLength(2);
  });

  it('is ended by close, after which requests are refused', async () => {
    const workspace = await temporaryDirectory();
    const { processes, events } = fakeModelProcesses(workspace);
    await processes.run(await generateRequest(workspace), options);

    await processes.close();

    expect(isAlive(events('start')[0]?.pid)).toBe(false);
    await expect(processes.run(await generateRequest(workspace), options)).rejects.toThrow(
      'shutting down',
    );
  });

  it('is ended by close while it works, with time to save', async () => {
    const workspace = await temporaryDirectory();
    const { processes, events } = fakeModelProcesses(workspace, ['--hang-at', '2']);
    const running = processes.run(await generateRequest(workspace), options);
    const failure = expect(running).rejects.toMatchObject({ code: 'ModelProcessDied' });
    await expect.poll(() => events('hang')).toHaveLength(1);

    await processes.close();

    await failure;
    expect(events('sigterm')).toHaveLength(1);
    expect(isAlive(events('start')[0]?.pid)).toBe(false);
  });

  it('sees none of the secrets of its worker', async () => {
    const workspace = await temporaryDirectory();
    const environment = {
      ...process.env,
      JUDGE_KEY: 'canary-1',
      AWS_SECRET_ACCESS_KEY: 'canary-2',
      HF_TOKEN: 'canary-3',
      TEMPORAL_API_KEY: 'canary-4',
      HTTPS_PROXY: 'http://user:canary-5@proxy',
      HF_HOME: '/models',
    };
    const { processes, events } = fakeModelProcesses(workspace, [], { environment });

    await processes.run(await generateRequest(workspace), options);

    const pid = events('start')[0]?.pid ?? 0;
    const seen = readFileSync(`/proc/${pid}/environ`, 'utf8');
    expect(seen).not.toContain('canary');
    expect(seen.split('\0')).toContain('HF_HOME=/models');
    expect(seen.split('\0')).toContain('HF_HUB_OFFLINE=1');
  });

  it('may use the network of its worker for a download only', async () => {
    const workspace = await temporaryDirectory();
    const environment = { ...process.env, HTTPS_PROXY: 'http://proxy' };
    const { processes, events } = fakeModelProcesses(workspace, [], { environment });

    await processes.run(
      {
        protocol_version: 1,
        request_id: 'download',
        command: 'download_model',
        repository: 'owner/name',
        revision: '0'.repeat(40),
        destination: join(workspace, 'model'),
      },
      options,
    );

    expect(events('start')[0]?.['environment']).toMatchObject({ HTTPS_PROXY: 'http://proxy' });
    expect(events('start')[0]?.['environment']).not.toHaveProperty('HF_HUB_OFFLINE');
  });
});

async function logTail(workspace: string): Promise<string> {
  const [name = ''] = await readdir(logsDir(workspace));
  return readFile(join(logsDir(workspace), name), 'utf8');
}
