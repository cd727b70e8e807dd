/** The room that the adapters and checkpoints of a run take in its workspace. Pure. */
import type { ExperimentConfig } from '../../contract/config.ts';
import type { Estimate } from './memory.ts';

/** A checkpoint holds the adapter and two moments of each of its numbers; two are kept, one is written. */
const CHECKPOINT_ADAPTERS = 3;
const NUM_CHECKPOINTS = 3;

/** Bytes by what they are for. Copies of images and texts are not in it: nobody has read them yet. */
export function diskTerms(
  config: ExperimentConfig,
  estimates: readonly Estimate[],
): Record<string, number> {
  const sizes = config.training_stages.map(
    (name) => estimates.find(({ stage }) => stage === name)?.adapter_bytes ?? 0,
  );
  const ofRound = sizes.reduce((sum, size) => sum + size, 0);
  return {
    adapters: ofRound * config.rounds,
    // Those of one training at a time; they go when it is done.
    checkpoints: Math.max(0, ...sizes) * CHECKPOINT_ADAPTERS * NUM_CHECKPOINTS,
  };
}
