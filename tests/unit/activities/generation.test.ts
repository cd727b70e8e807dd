import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { generationsSpec } from '../../../activities/generation.ts';
import { HeartbeatDetails } from '../../../contract/activities.ts';
import { Generation } from '../../../contract/records.ts';
import { RunConfig } from '../../../contract/run-config.ts';
import { workDir } from '../../../store/layout.ts';
import { type GpuWorkspace, gpuWorkspace, shardOf } from './gpu-workspace.ts';

async function textsOf({ deps }: GpuWorkspace, ref: Parameters<typeof deps.store.verify>[0]) {
  const texts: string[] = [];
  for await (const { text } of deps.store.readLines(ref, 'generations.jsonl', Generation)) {
    texts.push(text);
  }
  return texts;
}

describe('generateShard', () => {
  it('publishes a text for each request, and removes its work folder', async () => {
    const gpu = await gpuWorkspace();
    const { shards, requests } = await shardOf(gpu);

    const { generations } = await gpu.activities.generateShard({ shards, requests });

    await gpu.deps.store.verify(generations);
    expect(generations.num_records).toBe(3);
    expect(await textsOf(gpu, generations)).toEqual([
      'a text for question 0',
      'a text for question 1',
      'a text for question 2',
    ]);
    expect(existsSync(workDir(gpu.workspace, 'generations', generations.key))).toBe(false);
  });

  it('does no work when it is asked again', async () => {
    const gpu = await gpuWorkspace();
    const { shards, requests } = await shardOf(gpu);

    const first = await gpu.activities.generateShard({ shards, requests });
    const again = await gpu.activities.generateShard({ shards, requests });

    expect(again).toEqual(first);
    expect(gpu.events('request').filter((each) => each['command'] === 'generate')).toHaveLength(1);
  });

  it('does no item twice when an attempt dies: the result is that of an undisturbed run', async () => {
    const undisturbed = await gpuWorkspace();
    const killed = await gpuWorkspace(['--crash-at', '3']);
    const { policy: _policy, ...calm } = await shardOf(undisturbed, 5);
    const { shards, requests } = await shardOf(killed, 5);

    await expect(killed.activities.generateShard({ shards, requests })).rejects.toMatchObject({
      type: 'ModelProcessDied',
      nonRetryable: false,
    });
    const { generations } = await killed.activities.generateShard({ shards, requests });

    expect(killed.events('item').map((item) => item['number'])).toEqual([1, 2, 3, 4, 5]);
    const expected = await undisturbed.activities.generateShard(calm);
    expect(generations.sha256).toBe(expected.generations.sha256);
  });

  it('publishes a result whose worker died before it could', async () => {
    const gpu = await gpuWorkspace();
    const { shards, requests } = await shardOf(gpu);
    const { generations } = await gpu.activities.generateShard({ shards, requests });
    const work = await gpu.deps.store.workDirectory('generations', 'f'.repeat(32));

    // As the model process leaves it: complete output, nothing published yet.
    await rename(gpu.deps.store.directory(generations), `${work}/output`);
    await rename(work, workDir(gpu.workspace, 'generations', generations.key));

    expect(await gpu.activities.generateShard({ shards, requests })).toEqual({ generations });
  });

  it('is found by a key that needs nothing but config, policy, requests and source', async () => {
    const gpu = await gpuWorkspace();
    const { shards, requests } = await shardOf(gpu);
    const { generations } = await gpu.activities.generateShard({ shards, requests });
    const { config } = await gpu.deps.store.readJson(shards.config, 'config.json', RunConfig);

    const key = gpu.deps.store.key(generationsSpec(shards, requests, config));

    expect(key).toBe(generations.key);
  });

  it.each([
    ['batch size', { generation: { batch_size: 2 } }, false],
    ['dtype', { model: { dtype: 'bfloat16' as const } }, false],
    ['thread count', { model: { num_threads: 2 } }, false],
    ['rounds', { rounds: 2 }, true],
    ['shard width', { generation: { max_parallel_shards: 3 } }, true],
  ])('has its own key by %s', async (_name, knobs, isSame) => {
    const gpu = await gpuWorkspace();
    const { shards, requests } = await shardOf(gpu);
    const { config } = await gpu.deps.store.readJson(shards.config, 'config.json', RunConfig);
    const changed = {
      ...config,
      ...knobs,
      model: { ...config.model, ...('model' in knobs ? knobs.model : {}) },
      generation: { ...config.generation, ...('generation' in knobs ? knobs.generation : {}) },
    };

    const [before, after] = [config, changed].map((each) =>
      gpu.deps.store.key(generationsSpec(shards, requests, each)),
    );

    expect(before === after).toBe(isSame);
  });

  it('beats by a timer with what the process told last', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const gpu = await gpuWorkspace(['--hang-at', '3']);
    const { shards, requests } = await shardOf(gpu);
    const environment = new MockActivityEnvironment({ attempt: 1 });
    const beats: HeartbeatDetails[] = [];
    environment.on('heartbeat', (details: unknown) => beats.push(HeartbeatDetails.parse(details)));
    const running = environment.run(() => gpu.activities.generateShard({ shards, requests }));
    const failure = running.catch((error: unknown) => error);

    const lastBeat = (): HeartbeatDetails | undefined => {
      vi.advanceTimersByTime(5_000);
      return beats.at(-1);
    };
    await expect.poll(lastBeat).toMatchObject({ phase: 'generating', done: 2, total: 3 });

    environment.cancel('CANCELLED');
    await failure;
    const told = beats.length;
    vi.advanceTimersByTime(60_000);
    expect(beats).toHaveLength(told);
  });

  it('ends as cancelled, with the process gone, when Temporal cancels it', async () => {
    const gpu = await gpuWorkspace(['--hang-at', '2']);
    const { shards, requests } = await shardOf(gpu);
    const environment = new MockActivityEnvironment({ attempt: 1 });
    const running = environment.run(() => gpu.activities.generateShard({ shards, requests }));
    const failure = running.catch((error: unknown) => error);
    await expect.poll(() => gpu.events('hang')).toHaveLength(1);

    environment.cancel('CANCELLED');

    expect(await failure).toBeInstanceOf(CancelledFailure);
    expect(gpu.events('sigterm').at(-1)?.pid).toBe(gpu.events('hang')[0]?.pid);
  });
});

describe('generateOne', () => {
  it('returns the text itself', async () => {
    const gpu = await gpuWorkspace();
    const { shards, requests, policy } = await shardOf(gpu, 1);

    const answer = await gpu.activities.generateOne({ config: shards.config, policy, requests });

    expect(answer.text).toBe('a text for question 0');
  });
});
