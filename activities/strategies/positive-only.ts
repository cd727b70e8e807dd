/**
 * `positive-only`: supervised fine-tuning on the chosen texts alone, the paper's ablation (arXiv:2405.19716,
 * table 3). The pairs are those of the paper, so that a comparison is about the loss and nothing else.
 */
import { regularisedDpo, sticPaper } from './stic-paper.ts';
import type { ImageStrategy } from './strategy.ts';

export const positiveOnly: ImageStrategy = {
  ...sticPaper,
  training: (config) => ({
    ...regularisedDpo(config),
    objective: { kind: 'positive_only' },
    reference: 'none',
  }),
};
