/**
 * Richer rejections: where rejected texts come from when the paper's three sources in the paper's shares
 * are not what is wanted. The kinds that STIC does not have stand in `RICHER_CORRUPTIONS`.
 */
import { z } from 'zod';

/** Corruptions beyond the paper's two, each steered by one severity. */
export const RICHER_CORRUPTIONS = [
  'blur',
  'jpeg',
  'occlusion',
  'patch_shuffle',
  'noise',
  'crop',
] as const;
export type RicherCorruption = (typeof RICHER_CORRUPTIONS)[number];

/** Every source that the shares below are of, in the order in which it is drawn. */
export const REJECTION_SOURCES = [
  'bad_prompt',
  'low_resolution',
  'color_jitter',
  ...RICHER_CORRUPTIONS,
] as const;

const Share = z.number().min(0).max(1_000_000);

const Weights = z.strictObject({
  bad_prompt: Share.default(0.5).describe('clean image, prompt that invites to invent; paper'),
  low_resolution: Share.default(0.25).describe('paper'),
  color_jitter: Share.default(0.25).describe('paper'),
  blur: Share.default(0).describe('Gaussian; sigma up to 8 % of the shorter side'),
  jpeg: Share.default(0).describe('compressed with quality 30 down to 1'),
  occlusion: Share.default(0).describe('a grey rectangle over up to 90 % of the picture'),
  patch_shuffle: Share.default(0).describe('tiles change places, 2 x 2 up to 8 x 8 of them'),
  noise: Share.default(0).describe('Gaussian diffusion up to step 999 of 1000; POVID uses 500'),
  crop: Share.default(0).describe('a part of the picture, down to 10 % of its area'),
});

const Severity = z.strictObject({
  min: z.number().min(0).max(1).default(0.3),
  max: z.number().min(0).max(1).default(0.8),
  change_per_round: z
    .number()
    .min(-1)
    .max(1)
    .default(0)
    .describe('added to both ends each round after the first; negative = harder pairs as it goes'),
});

export const RejectionsConfig = z
  .strictObject({
    weights: Weights.prefault({}).describe('relative shares of the sources'),
    severity: Severity.prefault({}).describe(
      'drawn evenly from min to max for blur, jpeg, occlusion, patch_shuffle, noise and crop',
    ),
  })
  .superRefine(({ weights, severity }, context) => {
    if (Object.values(weights).every((weight) => weight === 0)) {
      context.addIssue({
        code: 'custom',
        path: ['weights'],
        message: 'expected at least one source with a share above 0, all are 0. Give one a share.',
      });
    }
    if (severity.min > severity.max) {
      context.addIssue({
        code: 'custom',
        path: ['severity', 'min'],
        message: `expected at most severity.max ${String(severity.max)}, got ${String(severity.min)}. Lower min or raise max.`,
      });
    }
  });
export type RejectionsConfig = z.infer<typeof RejectionsConfig>;
