/** Strategies by the name that a config gives. */
import type { ExperimentConfig } from '../../contract/config.ts';
import type { StrategyName } from '../../contract/config-strategies.ts';
import { dpo } from './dpo.ts';
import { mdpo } from './mdpo.ts';
import { positiveOnly } from './positive-only.ts';
import { povid } from './povid.ts';
import { rpo } from './rpo.ts';
import { singleStage } from './single-stage.ts';
import { spin } from './spin.ts';
import { sticPaper } from './stic-paper.ts';
import { sticReleased } from './stic-released.ts';
import type { Strategy } from './strategy.ts';

const STRATEGIES = {
  'stic-paper': sticPaper,
  'stic-released': sticReleased,
  dpo,
  'positive-only': positiveOnly,
  mdpo,
  spin,
  povid,
  rpo,
  'single-stage': singleStage,
} as const satisfies Record<StrategyName, Strategy>;

export function strategyOf({ strategy }: ExperimentConfig): Strategy {
  return STRATEGIES[strategy];
}
