/** What a training request says about the steps: what learns, how, from which loss, and on which hosts. */
import { z } from 'zod';
import { RankHostAddress } from './config-training.ts';
import { Path } from './model-process-engines.ts';

export const finetuning = z
  .enum(['lora', 'full'])
  .optional()
  .describe('full = the language model itself, `lora` is not looked at; absent = lora');

export const Hosts = z
  .strictObject({ addresses: z.array(RankHostAddress).min(1), key_path: Path })
  .describe(
    'other hosts that have their share of the ranks; the first share is of the model process',
  );

export const OptimizationSpec = z.strictObject({
  learning_rate: z.number().positive(),
  num_epochs: z.number().positive(),
  global_batch_size: z.int().min(1),
  micro_batch_size: z.int().min(1),
  weight_decay: z.number(),
  warmup_ratio: z.number(),
  lr_scheduler: z.enum(['cosine', 'linear', 'constant']),
  max_grad_norm: z.number().positive(),
  max_length: z.int().nullable(),
  gradient_checkpointing: z.union([z.boolean(), z.literal('auto')]),
  batching: z.enum(['shuffled', 'by_length', 'packed']).optional(),
  world_size: z.int().min(1).optional(),
  hosts: Hosts.optional(),
  parallelism: z.enum(['data', 'sharded']).optional(),
  save_steps: z.int().min(1),
  seed: z
    .int()
    .min(0)
    .max(2 ** 53 - 1),
});
export type OptimizationSpec = z.infer<typeof OptimizationSpec>;

/** What is learnt from a pair instead of regularised DPO; formulas in `sticflow_ml/losses.py`. */
export const PairObjective = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('positive_only') }),
  z.strictObject({
    kind: z.literal('stic_released'),
    rejected_logps: z.enum(['alternatives', 'labels']),
    training_image: z.enum(['none', 'clean']),
  }),
  z.strictObject({
    kind: z.literal('mdpo'),
    image_weight: z.number().min(0),
    anchor_weight: z.number().min(0),
    anchor: z.number(),
  }),
  z.strictObject({
    kind: z.literal('povid'),
    rejected_weight: z.number().min(0),
    noisy_weight: z.number().min(0),
  }),
]);
export type PairObjective = z.infer<typeof PairObjective>;
