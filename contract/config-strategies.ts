/**
 * Strategies by name, the knobs that only one of them has, and what each needs of the rest of the config.
 * What they do stands in `activities/strategies/`, one file each.
 */
import { z } from 'zod';

export const StrategyName = z.enum(['stic-paper', 'stic-released', 'dpo', 'positive-only']);
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

export const StrategyOptions = z.strictObject({
  stic_released: SticReleasedOptions.prefault({}),
});
export type StrategyOptions = z.infer<typeof StrategyOptions>;
