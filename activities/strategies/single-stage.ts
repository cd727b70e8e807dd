/**
 * `single-stage`: the paper's two losses in one training, the pairs of algorithm 1 and the infused examples of algorithm 2
 * side by side. Ours; the paper leaves it to future work. The round hands both to the training (workflows/round.ts).
 */
import { strategyOptions } from '../../contract/config-strategies.ts';
import { regularisedDpo, sticPaper } from './stic-paper.ts';
import type { ImageStrategy } from './strategy.ts';

export const singleStage: ImageStrategy = {
  ...sticPaper,
  training: (config) => ({
    ...regularisedDpo(config),
    infused_weight: strategyOptions(config).single_stage.infused_weight,
  }),
};
