import { describe, expect, it } from 'vitest';
import type { ExperimentConfigInput } from '../../../contract/config.ts';
import { seedFor } from '../../../store/random.ts';
import { gpuWorkspace } from './gpu-workspace.ts';
import { examplesOf, madeFrom, pairsOf } from './trained-adapter.ts';

describe('trainInfused', () => {
  it('continues the adapter of the policy', async () => {
    const gpu = await gpuWorkspace();
    const { policy, ...subject } = await pairsOf(gpu);
    const { adapter: stage1 } = await gpu.activities.trainPreference({ policy, ...subject });
    const infused_examples = await examplesOf(gpu);

    const { adapter, summary } = await gpu.activities.trainInfused({
      config: subject.config,
      round: 1,
      policy: { ...policy, adapter: stage1 },
      infused_examples,
    });

    expect(summary).toMatchObject({ num_examples: 2 });
    expect(await madeFrom(gpu, adapter)).toMatchObject({
      command: 'train_infused',
      adapter: stage1.sha256,
      optimization: { seed: seedFor(0, 1, 'infused_training'), learning_rate: 2e-5 },
    });
  });

  it('makes another adapter from packed rows, which sums otherwise', async () => {
    const gpu = await gpuWorkspace();
    const infused_examples = await examplesOf(gpu);
    const made = async (knobs: Partial<ExperimentConfigInput>) => {
      const { config, round, policy } = await pairsOf(gpu, knobs);
      const input = { config, round, policy, infused_examples };
      return (await gpu.activities.trainInfused(input)).adapter;
    };

    const [plain, shuffled, packed] = [
      await made({}),
      await made({ infused_training: { batching: 'shuffled' } }),
      await made({ infused_training: { batching: 'packed' } }),
    ];

    expect(shuffled).toEqual(plain);
    expect(packed.key).not.toBe(plain.key);
    expect(await madeFrom(gpu, packed)).toMatchObject({ optimization: { batching: 'packed' } });
  });
});
