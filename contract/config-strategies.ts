/**
 * Strategies by name, the knobs that only one of them has, and what each needs of the rest of the config.
 * What they do stands in `activities/strategies/`, one file each.
 */
import { z } from 'zod';
import type { PreferenceConfig } from './config-generation.ts';
import { RICHER_CORRUPTIONS } from './config-rejections.ts';

export const StrategyName = z.enum(['stic-paper', 'stic-released', 'dpo', 'positive-only', 'mdpo']);
export type StrategyName = z.infer<typeof StrategyName>;

/** Defects of the authors' code (STIC 993734e), on by default: that is what `stic-released` is for. */
const SticReleasedOptions = z.strictObject({
  rejected_logps: z
    .enum(['alternatives', 'labels'])
    .default('alternatives')
    .describe(
      "dpo_trainer.py:498-545: the model's own likeliest tokens (second where the likeliest is the label) instead of the rejected text",
    ),
  corruption: z
    .enum(['ignored', 'applied'])
    .default('ignored')
    .describe('generate_pref.py:220-222: the flag is set and never passed on'),
  training_image: z
    .enum(['none', 'clean'])
    .default('none')
    .describe('generate_pref.py:227-228: records without <image> train on text alone'),
});

/** mDPO, arXiv:2406.11839: equations 4 to 6; weights 1 and anchor 0 as there. */
const MdpoOptions = z.strictObject({
  image_weight: z.number().min(0).default(1).describe('of the image-conditional term'),
  anchor_weight: z.number().min(0).default(1).describe('of the anchor term'),
  anchor: z.number().default(0).describe('delta: reward that the chosen text is to exceed'),
  contrast: z
    .enum(['pair', ...RICHER_CORRUPTIONS])
    .default('pair')
    .describe(
      "image that the chosen text is to be unlikely on: the pair's own corrupted one (drawn anew where it has none), or one of this kind; the paper crops",
    ),
  contrast_severity: z
    .number()
    .min(0)
    .max(1)
    .default(0.9)
    .describe('of a named kind; a crop of 0.9 keeps 19 % of the area (paper: at most 20 %)'),
});

export const StrategyOptions = z.strictObject({
  stic_released: SticReleasedOptions.prefault({}),
  mdpo: MdpoOptions.prefault({}),
});
export type StrategyOptions = z.infer<typeof StrategyOptions>;

/** What the rules of strategies look at in a config. */
interface Surroundings {
  readonly strategy: StrategyName;
  readonly training_stages: readonly string[];
  readonly preference: Pick<
    PreferenceConfig,
    'bad_prompt_ratio' | 'low_resolution_ratio' | 'rejections'
  >;
}

/** What a strategy and its pairs need of the rest of a config and do not find. */
export function strategyIssues(
  config: Surroundings,
): (readonly [path: string[], message: string])[] {
  const { strategy, training_stages, preference } = config;
  const found: (readonly [string[], string])[] = [];
  const isLeftOut = training_stages.length > 0 && !training_stages.includes('preference_training');
  if (strategy !== 'stic-paper' && isLeftOut) {
    found.push([
      ['strategy'],
      `"${strategy}" is a way of preference_training, which training_stages leaves out; add the stage or drop the strategy`,
    ]);
  }
  for (const ratio of ['bad_prompt_ratio', 'low_resolution_ratio'] as const) {
    if (preference.rejections === undefined || preference[ratio] === 0.5) continue;
    found.push([
      ['preference', ratio],
      'is not read where preference.rejections.weights has the shares; set them there and drop this',
    ]);
  }
  return found;
}
