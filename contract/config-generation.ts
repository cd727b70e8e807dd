/** Knobs of text generation and of the preference stage (paper, algorithm 1). */
import { z } from 'zod';
import { checkEngine, engineFields } from './config-engine.ts';
import { RejectionsConfig } from './config-rejections.ts';

const GenerationFields = z.strictObject({
  ...engineFields,
  temperature: z
    .number()
    .min(0)
    .max(2)
    .default(0.2)
    .describe('STIC code generate_pref.py:151; 0 = greedy'),
  top_p: z.number().gt(0).max(1).nullable().default(null).describe('STIC code: none'),
  max_new_tokens: z.int().min(1).max(8192).default(1024).describe('STIC code generate_pref.py:154'),
  batch_size: z
    .union([z.int().min(1).max(1024), z.literal('auto')])
    .default(8)
    .describe(
      'engine hf: rows in one forward pass; cut at fixed positions, part of exactness. auto = as many as fit into the memory that is free, at most 64',
    ),
  shard_size: z.int().min(1).max(100_000).default(256).describe('items of one generation activity'),
  max_parallel_shards: z.int().min(1).max(500).default(16).describe('fan-out width of a stage'),
});
export const GenerationConfig = GenerationFields.superRefine(checkEngine);
export type GenerationConfig = z.infer<typeof GenerationConfig>;

export const PreferenceConfig = z.strictObject({
  images_per_round: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe(
      'images drawn for a round from a seeded order, going on where the last round ended; null = all',
    ),
  bad_prompt_ratio: z.number().min(0).max(1).default(0.5).describe('paper, algorithm 1: n < 0.5'),
  low_resolution_ratio: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe('share of the corrupted branch; STIC code generate_pref.py:48-54'),
  low_resolution: z
    .strictObject({
      shorter_side_pixels: z.int().min(1).default(20).describe('STIC code: Resize(20), bilinear'),
    })
    .prefault({}),
  color_jitter: z
    .strictObject({
      brightness: z
        .number()
        .min(0)
        .max(1)
        .default(0.5)
        .describe('factor drawn from [1 - b, 1 + b]'),
      hue: z
        .number()
        .min(0)
        .max(0.5)
        .default(0.3)
        .describe('shift in HSV drawn from [-h, h] of the circle'),
    })
    .prefault({}),
  rejections: RejectionsConfig.optional().describe(
    'more sources of rejected texts; absent = the paper, by the two ratios above',
  ),
  degenerate: z
    .strictObject({
      drop_cut: z.boolean().default(true).describe('drop pairs whose text hit max_new_tokens'),
      max_repetition: z
        .number()
        .min(0)
        .max(1)
        .default(0.5)
        .describe('share of repeated 4-grams above which a text counts as repeating'),
    })
    .prefault({}),
});
export type PreferenceConfig = z.infer<typeof PreferenceConfig>;
