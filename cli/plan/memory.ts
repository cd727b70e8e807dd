/** Asks Python how much memory a config needs on the device that this machine has. */
import { execa } from 'execa';
import { z } from 'zod';
import type { ExperimentConfig } from '../../contract/config.ts';
import { pythonDir, pythonExecutable } from '../../store/layout.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';

const Bytes = z.int().nonnegative();

const Estimate = z.strictObject({
  stage: z.string(),
  rows: z.int().describe('in one forward pass'),
  row_tokens: z.int().describe('of the longest row that the config allows'),
  gradient_checkpointing: z.boolean().nullable(),
  adapter_bytes: Bytes,
  terms: z.record(z.string(), Bytes),
  total_bytes: Bytes,
  fits: z.boolean(),
});
export type Estimate = z.infer<typeof Estimate>;

const MemoryPlan = z.strictObject({
  device: z.strictObject({ kind: z.enum(['cpu', 'cuda']), name: z.string(), memory_bytes: Bytes }),
  model: z.strictObject({
    num_weights: z.int(),
    num_layers: z.int(),
    hidden_size: z.int(),
    image_tokens: z.int().describe('of the largest image'),
    image_tokens_known: z.boolean(),
  }),
  estimates: z.array(Estimate),
});
export type MemoryPlan = z.infer<typeof MemoryPlan>;

const Refusal = z.strictObject({
  error: z.strictObject({ code: z.string(), message: z.string() }),
});

/**
 * The estimates for each training of a config and for its generation.
 *
 * @throws CliError with the reason that Python gives, or when there is no Python.
 */
export async function estimateMemory(
  config: ExperimentConfig,
  modelPath: string,
  environment: NodeJS.ProcessEnv,
): Promise<MemoryPlan> {
  const { generation, model } = config;
  const question = {
    model_path: modelPath,
    dtype: model.dtype,
    quantization: model.quantization ?? null,
    device: model.device,
    trainings: config.training_stages.map((stage) => {
      const { lora, micro_batch_size, max_length, gradient_checkpointing } = config[stage];
      const { finetuning, parallelism, world_size } = config[stage];
      return {
        stage,
        finetuning: finetuning ?? 'lora',
        lora,
        micro_batch_size,
        max_length,
        gradient_checkpointing,
        max_new_tokens: generation.max_new_tokens,
        num_shards: parallelism === 'sharded' ? (world_size ?? 1) : 1,
      };
    }),
    generation: { batch_size: generation.batch_size, max_new_tokens: generation.max_new_tokens },
  };
  const result = await execa(pythonExecutable(environment), ['-m', 'sticflow_ml.plan_memory'], {
    env: { PYTHONPATH: pythonDir(), HF_HUB_OFFLINE: '1' },
    input: JSON.stringify(question),
    reject: false,
  });
  const answer = parsed(result.stdout);
  const plan = MemoryPlan.safeParse(answer);
  if (plan.success) return plan.data;
  const refusal = Refusal.safeParse(answer);
  if (refusal.success) {
    const { code, message } = refusal.data.error;
    throw new CliError(code, message, EXIT.usage);
  }
  const tail = result.stderr.trim().split('\n').slice(-5).join('\n');
  throw new CliError(
    'PlanFailed',
    `Expected ${pythonExecutable(environment)} to estimate the memory, it failed:\n${tail}\nSet the Python environment up with \`npm run bootstrap\`.`,
    EXIT.unreachable,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
