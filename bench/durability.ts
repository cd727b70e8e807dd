/**
 * What durability costs: the same config once through Temporal with workers, checkpoints and manifests, and
 * once as a plain program that calls the same stages one after the other in one process, writes no checkpoint
 * and whose hashing and syncing is not counted. Both must end with the same adapter weights.
 */
import process from 'node:process';
import { loadConfig } from '../cli/config/load.ts';
import { provideScenes } from '../cli/scenes-data.ts';
import { durableRun } from './durable-run.ts';
import { plainRun } from './plain-run.ts';
import { type Bench, rounded } from './result.ts';
import { temporaryWorkspace } from './workspace.ts';

const ONE_ROUND = 'rounds=1';
/** More steps than any run has: no checkpoint is due. */
const NO_CHECKPOINTS = [
  'preference_training.save_steps=1000000',
  'infused_training.save_steps=1000000',
];

export const durability: Bench = async ({ config, overrides, say }) => {
  const name = config ?? 'scenes';
  // The plain program knows no decisions between rounds.
  const set = [...overrides, ONE_ROUND];
  say(`with Temporal, checkpoints and manifests: ${name} ${set.join(' ')} ...`);
  const durable = await durableRun(name, set);
  try {
    say(`${durable.times.wall_seconds.toFixed(0)} s; now without ...`);
    await using workspace = await temporaryWorkspace();
    const plainConfig = await loadConfig(name, {
      overrides: [...set, ...NO_CHECKPOINTS],
      workspace: workspace.dir,
    });
    await provideScenes(workspace.dir, plainConfig, process);
    const plain = await plainRun(plainConfig, workspace.dir);
    const equal = durable.adapterWeights().join() === plain.adapterWeights.join();
    if (!equal) {
      throw new Error(
        `Expected the same adapter weights from both, got ${durable.adapterWeights().join(', ')} and ${plain.adapterWeights.join(', ')}.`,
      );
    }
    const bare = plain.seconds - plain.publishing_seconds;
    return {
      name: 'durability',
      peer: 'the same stages as a plain program: no server, no workers, no checkpoints, no manifests',
      ratio: rounded(durable.times.wall_seconds / bare),
      details: {
        meaning: 'time of the durable run over that of the plain program; 1 = durability is free',
        durable_seconds: rounded(durable.times.wall_seconds),
        plain_seconds: rounded(bare),
        publishing_seconds: rounded(plain.publishing_seconds),
        adapter_weights_equal: equal,
        num_adapters: plain.adapterWeights.length,
        config: name,
        set,
      },
    };
  } finally {
    await durable.remove();
  }
};
