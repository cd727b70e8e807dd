/** `dpo`: the pairs of the paper with plain DPO (arXiv:2305.18290): no likelihood term, whatever its weight. */
import { regularisedDpo, sticPaper } from './stic-paper.ts';
import type { ImageStrategy } from './strategy.ts';

export const dpo: ImageStrategy = {
  ...sticPaper,
  training: (config) => {
    const { loss } = regularisedDpo(config);
    return { loss: { ...loss, chosen_nll_weight: 0 } };
  },
};
