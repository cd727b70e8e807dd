import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { readRunConfig } from '../../../activities/prepare-run.ts';
import type { ExperimentConfigInput } from '../../../contract/config.ts';
import { seedFor } from '../../../store/random.ts';
import { gpuWorkspace } from './gpu-workspace.ts';
import { madeFrom, pairsOf } from './trained-adapter.ts';

describe('trainPreference', () => {
  it('publishes the adapter with the figures of its training', async () => {
    const gpu = await gpuWorkspace();

    const { adapter, summary } = await gpu.activities.trainPreference(await pairsOf(gpu));

    const { files } = await gpu.deps.store.verify(adapter);
    expect(files.map(({ name }) => name)).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
      'metrics.jsonl',
      'training.json',
    ]);
    expect(summary).toEqual({ num_examples: 3, num_steps: 3, num_dropped_over_length: 0 });
  });

  it('trains with the knobs of its stage and a seed of its round', async () => {
    const gpu = await gpuWorkspace();
    const subject = await pairsOf(gpu, {
      seed: 5,
      preference_training: { beta: 0.3, lora: { r: 4 } },
    });

    const { adapter } = await gpu.activities.trainPreference({ ...subject, round: 2 });

    expect(await madeFrom(gpu, adapter)).toMatchObject({
      command: 'train_preference',
      lora: { r: 4, alpha: 256 },
      loss: { beta: 0.3, chosen_nll_weight: 1 / 1024, nll_reduction: 'sum' },
      optimization: { seed: seedFor(5, 2, 'preference_training'), learning_rate: 1e-7 },
      adapter: null,
    });
  });

  it('does no work when it is asked again, and still tells the figures', async () => {
    const gpu = await gpuWorkspace();
    const subject = await pairsOf(gpu);

    const first = await gpu.activities.trainPreference(subject);
    const again = await gpu.activities.trainPreference(subject);

    expect(again).toEqual(first);
    expect(gpu.events('item')).toHaveLength(3);
  });

  it('goes on from its last step when an attempt dies', async () => {
    const gpu = await gpuWorkspace(['--crash-at', '2']);
    const subject = await pairsOf(gpu);

    await expect(gpu.activities.trainPreference(subject)).rejects.toMatchObject({
      type: 'ModelProcessDied',
    });
    await gpu.activities.trainPreference(subject);

    expect(gpu.events('item').map((item) => item['number'])).toEqual([1, 2, 3]);
  });

  it('saves and is retried, not failed, when its worker shuts down', async () => {
    const gpu = await gpuWorkspace(['--hang-at', '3']);
    const subject = await pairsOf(gpu);
    const environment = new MockActivityEnvironment({ attempt: 1 });
    const running = environment.run(() => gpu.activities.trainPreference(subject));
    const failure = running.catch((error: unknown) => error);
    await expect.poll(() => gpu.events('hang')).toHaveLength(1);

    environment.cancel('WORKER_SHUTDOWN');

    expect(await failure).toMatchObject({ message: 'WORKER_SHUTDOWN' });
    expect(gpu.events('sigterm').at(-1)?.pid).toBe(gpu.events('hang')[0]?.pid);
    const { adapter } = await gpu.activities.trainPreference(subject);
    expect(adapter.num_records).toBe(3);
    expect(gpu.events('item').map((item) => item['number'])).toEqual([1, 2, 3]);
  });

  it('makes another adapter with another knob of its stage, and the same with one of the other', async () => {
    const gpu = await gpuWorkspace();
    const first = await gpu.activities.trainPreference(await pairsOf(gpu));

    const other = await pairsOf(gpu, { infused_training: { learning_rate: 1e-3 } });
    const hotter = await pairsOf(gpu, { preference_training: { beta: 0.2 } });

    expect(await gpu.activities.trainPreference(other)).toEqual(first);
    expect((await gpu.activities.trainPreference(hotter)).adapter.key).not.toBe(first.adapter.key);
  });

  it('hands over a variant of LoRA, and takes one that is off for none', async () => {
    const gpu = await gpuWorkspace();
    const plain = await gpu.activities.trainPreference(await pairsOf(gpu));
    const adapterWith = async (lora: object) => {
      const subject = await pairsOf(gpu, { preference_training: { lora } });
      return (await gpu.activities.trainPreference(subject)).adapter;
    };

    const off = await adapterWith({ use_rslora: false, use_dora: false });
    const on = await adapterWith({ use_rslora: true, use_dora: true });

    expect(off).toEqual(plain.adapter);
    expect(on.key).not.toBe(off.key);
    expect(await madeFrom(gpu, on)).toMatchObject({ lora: { use_rslora: true, use_dora: true } });
  });

  it('makes another adapter beside a packed base, and another policy by training all of it', async () => {
    const gpu = await gpuWorkspace();
    const plain = await gpu.activities.trainPreference(await pairsOf(gpu));
    const { source } = (await readRunConfig(gpu.deps.store, await gpu.config())).config.model;
    const model = { source, dtype: 'float32', device: 'cpu', num_threads: 1 } as const;
    const made = async (knobs: Partial<ExperimentConfigInput>) =>
      (await gpu.activities.trainPreference(await pairsOf(gpu, knobs))).adapter;

    const packed = await made({ model: { ...model, quantization: 'nf4' } });
    const lora = await made({ preference_training: { finetuning: 'lora' } });
    const full = await made({ preference_training: { finetuning: 'full' } });
    const sameFull = await made({ preference_training: { finetuning: 'full', lora: { r: 2 } } });

    expect(lora).toEqual(plain.adapter);
    expect(new Set([plain.adapter.key, packed.key, full.key]).size).toBe(3);
    expect(sameFull).toEqual(full);
    expect(await madeFrom(gpu, packed)).toMatchObject({ quantization: 'nf4' });
    expect(await madeFrom(gpu, full)).toMatchObject({ finetuning: 'full' });
  });

  it('makes the same adapter however many devices share the work', async () => {
    const gpu = await gpuWorkspace();
    const alone = await gpu.activities.trainPreference(await pairsOf(gpu));

    const shared = { world_size: 2, parallelism: 'sharded' } as const;
    const subject = await pairsOf(gpu, { preference_training: shared });

    expect(await gpu.activities.trainPreference(subject)).toEqual(alone);
  });

  it('makes the same adapter on several hosts, which are told where their key is', async () => {
    const gpu = await gpuWorkspace();
    const alone = await gpu.activities.trainPreference(await pairsOf(gpu));
    const hosts = ['10.0.0.2:29400'];

    const subject = await pairsOf(gpu, { preference_training: { world_size: 2, hosts } });
    const other = await pairsOf(gpu, {
      preference_training: { world_size: 2, hosts, learning_rate: 1e-6 },
    });

    expect(await gpu.activities.trainPreference(subject)).toEqual(alone);
    const { adapter } = await gpu.activities.trainPreference(other);
    expect(await madeFrom(gpu, adapter)).toMatchObject({
      optimization: {
        hosts: { addresses: hosts, key_path: join(gpu.deps.workspace, 'ranks.key') },
      },
    });
  });

  it('makes the same adapter with image features on disk', async () => {
    const gpu = await gpuWorkspace();
    const alone = await gpu.activities.trainPreference(await pairsOf(gpu));
    const { source } = (await readRunConfig(gpu.deps.store, await gpu.config())).config.model;

    const model = { source, dtype: 'float32', device: 'cpu', num_threads: 1 } as const;
    const subject = await pairsOf(gpu, { model: { ...model, feature_cache_bytes: 1e9 } });

    expect(await gpu.activities.trainPreference(subject)).toEqual(alone);
  });

  it('refuses damaged pairs before it starts anything', async () => {
    const gpu = await gpuWorkspace();
    const subject = await pairsOf(gpu);
    await appendFile(
      join(gpu.deps.store.directory(subject.preference_pairs), 'pairs.jsonl'),
      '4\n',
    );

    await expect(gpu.activities.trainPreference(subject)).rejects.toMatchObject({
      type: 'ArtifactDamaged',
      nonRetryable: true,
    });
    expect(gpu.events('item')).toEqual([]);
  });
});

describe('trainPreference of single-stage', () => {
  const knobs: Partial<ExperimentConfigInput> = {
    strategy: 'single-stage',
    training_stages: ['preference_training', 'infused_training'],
    infusion: {
      instructions: 'builtin:scenes/instructions.json',
      image_root: 'builtin:scenes/images',
    },
  };

  it('learns the infused examples beside the pairs, and they are part of the key', async () => {
    const gpu = await gpuWorkspace();
    const subject = await pairsOf(gpu, knobs);
    const instructions = await gpu.artifact('instructions', 'instructions.jsonl', [{ image: 1 }]);
    const examples = async (list: number[]) =>
      gpu.artifact('infused_examples', 'examples.jsonl', list, [instructions]);
    const [some, others] = [await examples([1, 2]), await examples([3])];

    const first = await gpu.activities.trainPreference({ ...subject, infused_examples: some });
    const second = await gpu.activities.trainPreference({ ...subject, infused_examples: others });

    expect(await madeFrom(gpu, first.adapter)).toMatchObject({ infused: { weight: 1 } });
    expect(second.adapter.key).not.toBe(first.adapter.key);
  });

  it('refuses pairs without examples, and examples that no strategy asked for', async () => {
    const gpu = await gpuWorkspace();
    const alone = gpu.activities.trainPreference(await pairsOf(gpu, knobs));
    await expect(alone).rejects.toMatchObject({ type: 'ConfigInvalid' });
    const instructions = await gpu.artifact('instructions', 'instructions.jsonl', [{ image: 1 }]);
    const infused_examples = await gpu.artifact(
      'infused_examples',
      'examples.jsonl',
      [1],
      [instructions],
    );
    const unasked = gpu.activities.trainPreference({ ...(await pairsOf(gpu)), infused_examples });
    await expect(unasked).rejects.toMatchObject({ type: 'ConfigInvalid' });
  });
});
