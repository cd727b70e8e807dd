/** Knobs of the two trainings (paper, algorithms 1 and 2) and of the infusion stage. */
import { z } from 'zod';
import { SourceRef } from './source.ts';

/** Why an initialisation of PEFT cannot be used here. */
const REFUSED_INITS = {
  pissa: 'it takes its first adapter out of the base weights',
  olora: 'it takes its first adapter out of the base weights',
  corda: 'it takes its first adapter out of the base weights',
  loftq: 'it replaces the base weights by quantised ones',
  eva: null,
} as const;

export const LoraSettings = z.strictObject({
  r: z.int().min(1).max(1024).default(128).describe('rank; paper'),
  alpha: z.number().positive().default(256).describe('paper'),
  dropout: z
    .number()
    .min(0)
    .max(0.5)
    .default(0)
    .describe('STIC code: 0.05 set, 0 in effect in stage 1'),
  target_modules: z
    .array(z.string().min(1))
    .min(1)
    .default(['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'])
    .describe('linear layers of the language model; the vision tower is never touched'),
  use_rslora: z
    .boolean()
    .optional()
    .describe(
      'rank-stabilised LoRA (arXiv:2312.03732): scales by alpha / sqrt(r); absent = by alpha / r',
    ),
  use_dora: z
    .boolean()
    .optional()
    .describe('DoRA (arXiv:2402.09353): learns the norms of the weights apart; absent = false'),
  init_lora_weights: z
    .enum(['gaussian', 'pissa', 'olora', 'corda', 'loftq', 'eva'])
    .optional()
    .describe(
      "PEFT's name; gaussian, others are refused with the reason; absent = Kaiming, B zero",
    ),
});
export type LoraSettings = z.infer<typeof LoraSettings>;

export const RankHostAddress = z
  .string()
  .max(260)
  .regex(/^[A-Za-z0-9.-]+:[0-9]{1,5}$/, 'expected HOST:PORT, such as 10.0.0.2:29400');

const shared = {
  num_epochs: z.number().positive().max(100).default(1),
  micro_batch_size: z
    .int()
    .min(1)
    .default(1)
    .describe('examples in one forward pass on one device'),
  weight_decay: z.number().min(0).default(0),
  warmup_ratio: z.number().min(0).max(1).default(0.03).describe('STIC code'),
  lr_scheduler: z
    .enum(['cosine', 'linear', 'constant'])
    .default('cosine')
    .describe('STIC code: cosine'),
  max_grad_norm: z.number().positive().default(1),
  max_length: z
    .int()
    .min(64)
    .nullable()
    .default(null)
    .describe(
      'tokens with image tokens; longer examples are dropped and counted, never cut. null = model limit',
    ),
  gradient_checkpointing: z
    .union([z.boolean(), z.literal('auto')])
    .default(false)
    .describe('auto = when the estimated memory without it exceeds the device'),
  batching: z
    .enum(['shuffled', 'by_length'])
    .optional()
    .describe(
      'by_length = the examples of an update are cut into micro-batches by length, which pads less; absent = shuffled',
    ),
  world_size: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe('devices that train together. Not part of the result; absent = 1'),
  hosts: z
    .array(RankHostAddress)
    .min(1)
    .max(63)
    .optional()
    .describe(
      'addresses of `sticflow ranks` on other hosts, with as many of the devices each as the worker has. Not part of the result; absent = none',
    ),
  parallelism: z
    .enum(['data', 'sharded'])
    .optional()
    .describe(
      'what those devices have of the base: data = all of it each, sharded = a share each (FSDP2), for bases that fit no single one. Not part of the result; absent = data',
    ),
  save_steps: z.int().min(1).default(50).describe('optimizer steps between checkpoints'),
};

const finetuning = z
  .enum(['lora', 'full'])
  .optional()
  .describe(
    'full = every weight of the language model instead of an adapter beside it, for small models in float32; needs room for the base and a copy; absent = lora',
  );

export const PreferenceTrainingConfig = z.strictObject({
  finetuning,
  lora: LoraSettings.prefault({}),
  beta: z
    .number()
    .positive()
    .default(0.1)
    .describe("DPO temperature, the paper's lambda; STIC code dpo_trainer.py:123"),
  chosen_nll_weight: z
    .number()
    .min(0)
    .default(1 / 1024)
    .describe(
      "weight of -log p(chosen), the paper's alpha; STIC code dpo_trainer.py:458 (on the sum)",
    ),
  nll_reduction: z
    .enum(['sum', 'token', 'sequence'])
    .default('sum')
    .describe(
      'sum per sequence (STIC), mean over tokens of the batch (TRL), mean per sequence (LlamaFactory)',
    ),
  learning_rate: z.number().positive().default(1e-7).describe('STIC code dpo_finetune.sh:27'),
  global_batch_size: z.int().min(1).default(8).describe('pairs an update; STIC README step 2'),
  ...shared,
});
export type PreferenceTrainingConfig = z.infer<typeof PreferenceTrainingConfig>;

export const InfusionConfig = z.strictObject({
  instructions: SourceRef.describe(
    "instruction set in LLaVA's JSON conversation format (path in YAML)",
  ),
  image_root: SourceRef.describe(
    'folder that the image names of the instruction set are relative to',
  ),
  num_examples: z
    .int()
    .positive()
    .nullable()
    .default(5000)
    .describe('seeded subset; paper: 5k; null = all'),
  describe: z
    .enum(['policy', 'none'])
    .default('policy')
    .describe('whose description goes in front; none = the control without descriptions'),
});
export type InfusionConfig = z.infer<typeof InfusionConfig>;

export const InfusedTrainingConfig = z.strictObject({
  finetuning,
  lora: LoraSettings.prefault({ dropout: 0.05 }).describe('used only when no adapter is continued'),
  learning_rate: z.number().positive().default(2e-5).describe('STIC code finetune_lora.sh:30'),
  global_batch_size: z.int().min(1).default(64).describe('published trainer_state.json fits 64'),
  ...shared,
  batching: z
    .enum(['shuffled', 'by_length', 'packed'])
    .optional()
    .describe(
      'by_length = as in preference_training; packed = the examples of a micro-batch lie in one row, each blind to the others, with no padding; absent = shuffled',
    ),
});
export type InfusedTrainingConfig = z.infer<typeof InfusedTrainingConfig>;

/** Every host has the same share of the ranks, and no host two. */
export function hostIssues(
  stage: TrainingStage,
  { hosts, world_size }: Pick<InfusedTrainingConfig, 'hosts' | 'world_size'>,
): Finding[] {
  if (hosts === undefined) return [];
  const found: Finding[] = [];
  const number = hosts.length + 1;
  if (world_size === undefined || world_size % number !== 0) {
    const message = `must be a multiple of ${String(number)}: the worker's host and the ${String(hosts.length)} of hosts have the same number of devices`;
    found.push([[stage, 'world_size'], message]);
  }
  const twice = hosts.find((host, index) => hosts.indexOf(host) !== index);
  if (twice !== undefined) found.push([[stage, 'hosts'], `names ${twice} twice`]);
  return found;
}

type TrainingStage = 'preference_training' | 'infused_training';

/** Of an experiment, what the rules below look at. */
interface Trainings {
  readonly model: { readonly dtype: string; readonly quantization?: string | undefined };
  readonly training_stages: readonly TrainingStage[];
  readonly preference_training: PreferenceTrainingConfig;
  readonly infused_training: InfusedTrainingConfig;
}

/** A base can be shared out over several devices only, and only while it is frozen and not packed. */
export function parallelismIssues(stage: TrainingStage, config: Trainings): Finding[] {
  const { parallelism, world_size, finetuning } = config[stage];
  if (parallelism !== 'sharded') return [];
  const path = [stage, 'parallelism'];
  const found: Finding[] = [];
  if ((world_size ?? 1) === 1) {
    const message =
      'sharded needs several devices to share the base out over; set world_size to 2 or more, or drop parallelism';
    found.push([path, message]);
  }
  if (config.model.quantization !== undefined) {
    const message =
      'sharded shares out whole weights, not packed ones; set it to data, or drop model.quantization';
    found.push([path, message]);
  }
  if (finetuning === 'full') {
    const message =
      'sharded shares out what is frozen, and full trains it; set it to data, or finetuning to lora';
    found.push([path, message]);
  }
  return found;
}

/** Training the base itself asks for all of its bits, and for stages that go on with each other's weights. */
export function finetuningIssues(stage: TrainingStage, config: Trainings): Finding[] {
  const { finetuning, lora } = config[stage];
  const path = [stage, 'finetuning'];
  const found: Finding[] = [];
  const kinds = new Set(config.training_stages.map((name) => config[name].finetuning ?? 'lora'));
  if (kinds.size > 1 && stage === 'infused_training') {
    const message = `goes on with the policy of preference_training, which is trained by ${config.preference_training.finetuning ?? 'lora'}; set both alike`;
    found.push([path, message]);
  }
  if (finetuning !== 'full') return found;
  if (config.model.dtype !== 'float32') {
    const message = `full needs model.dtype float32, got ${config.model.dtype}: its steps are smaller than the last bit of a weight in half precision`;
    found.push([path, message]);
  }
  if (config.model.quantization !== undefined) {
    found.push([path, 'full cannot train weights of 4 bits; drop model.quantization']);
  }
  for (const name of ['use_rslora', 'use_dora', 'init_lora_weights'] as const) {
    if (lora[name] === undefined || lora[name] === false) continue;
    found.push([[stage, 'lora', name], 'is of LoRA, and full trains without it; drop one of both']);
  }
  return found;
}

type Finding = readonly [path: string[], message: string];

/** Adapters that cannot be trained beside a frozen base, and why, for one training stage. */
export function loraIssues(
  stage: 'preference_training' | 'infused_training',
  { init_lora_weights: init }: LoraSettings,
): Finding[] {
  if (init === undefined || init === 'gaussian') return [];
  const why = REFUSED_INITS[init];
  const message =
    why === null
      ? `"${init}" needs passes over the data before the first step, which trainings here do not make; drop it or use gaussian`
      : `"${init}" cannot be used: ${why}, so the base without the adapter, which is the reference and what other adapters stand on, would be another model; drop it or use gaussian`;
  return [[[stage, 'lora', 'init_lora_weights'], message]];
}
