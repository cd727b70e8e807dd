/** `stic-paper`: the published algorithm 1, regularised DPO on described images (arXiv:2405.19716). */
import type { ExperimentConfig } from '../../contract/config.ts';
import { descriptions } from './descriptions.ts';
import type { ImageStrategy, PairTraining } from './strategy.ts';

export const sticPaper: ImageStrategy = { ...descriptions, training: regularisedDpo };

/** The loss as the config has it, against the policy that the round starts with. */
export function regularisedDpo({ preference_training }: ExperimentConfig): PairTraining {
  const { beta, chosen_nll_weight, nll_reduction } = preference_training;
  return { loss: { beta, chosen_nll_weight, nll_reduction } };
}
