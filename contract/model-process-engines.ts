/** Which program writes the texts of a `generate` request, as the model process is told. */
import { z } from 'zod';

export const Path = z
  .string()
  .min(1)
  .describe('absolute path, resolved by the worker from a reference');

/** Where the model process reads a secret; the secret itself is never on the wire. */
export const SecretPlace = z.strictObject({
  kind: z.enum(['environment', 'file']),
  name: z.string().min(1).describe('of the variable, or absolute path'),
});
export type SecretPlace = z.infer<typeof SecretPlace>;

/** Manners towards a server; nothing here changes a text. */
export const ClientSpec = z.strictObject({
  max_concurrency: z.int().min(1),
  request_timeout_seconds: z.number().positive(),
  max_retries: z.int().min(0),
  retry_delay_seconds: z.number().positive(),
  max_requests_per_minute: z.number().positive().nullable(),
});
export type ClientSpec = z.infer<typeof ClientSpec>;

export const HfEngine = z.strictObject({ name: z.literal('hf') });

export const OpenAiEngine = z.strictObject({
  name: z.literal('openai'),
  base_url: z.string(),
  model: z.string(),
  adapter_model: z.string().nullable(),
  load_adapters: z.boolean(),
  adapter_canary: z.boolean(),
  reported_model: z.string().nullable(),
  api_key: SecretPlace.nullable(),
  on_refusal: z.enum(['fail', 'empty']),
  client: ClientSpec,
});
export type OpenAiEngine = z.infer<typeof OpenAiEngine>;

export const VllmEngine = z.strictObject({
  name: z.literal('vllm'),
  environment: Path,
  max_lora_rank: z.int().min(1).describe('of the adapters that this run trains'),
  tensor_parallel_size: z.int().min(1),
  gpu_memory_utilization: z.number().positive(),
  max_model_len: z.int().nullable(),
  batch_invariant: z.boolean(),
  startup_timeout_seconds: z.number().positive(),
  canary_tolerance: z.number().positive(),
  on_canary_failure: z.enum(['merge', 'fail']),
  client: ClientSpec,
});
export type VllmEngine = z.infer<typeof VllmEngine>;
