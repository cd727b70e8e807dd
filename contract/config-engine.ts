/**
 * Which program writes the texts: our own loop (`hf`), an endpoint of the user's (`openai`), or a vLLM
 * server that we start (`vllm`). Keys that an older config does not have stay absent when they are not
 * written, so that its run keeps its name.
 */
import { z } from 'zod';
import { SecretRef, SourceRef } from './source.ts';

export const ENGINES = ['hf', 'openai', 'vllm'] as const;
export type EngineName = (typeof ENGINES)[number];

/** How a server is asked; nothing here changes a text. */
const client = {
  max_concurrency: z.int().min(1).max(1024).default(16).describe('requests under way at once'),
  request_timeout_seconds: z
    .number()
    .min(1)
    .max(3600)
    .default(120)
    .describe('of one attempt, connection and whole answer'),
  max_retries: z.int().min(0).max(20).default(8).describe('further attempts for one text'),
  retry_delay_seconds: z
    .number()
    .gt(0)
    .max(60)
    .default(0.5)
    .describe('bound of the first random delay; doubles up to a minute. Retry-After goes first'),
};

export const OpenAiEngineConfig = z.strictObject({
  base_url: z
    .string()
    .max(500)
    .regex(
      /^https?:\/\/(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?(?:\/[A-Za-z0-9._~-]+)*$/,
      'expected an address such as http://localhost:8000/v1, without user, query or slash at the end',
    )
    .describe('the part of the address in front of /chat/completions'),
  model: z.string().min(1).max(200).describe('name under which the endpoint serves the base'),
  adapter_model: z
    .string()
    .max(200)
    .regex(/\{sha256\}/, 'expected a name with {sha256} in it, the hash of the adapter artifact')
    .nullable()
    .default(null)
    .describe('name under which it serves an adapter; null = it serves none'),
  load_adapters: z
    .boolean()
    .default(false)
    .describe(
      'POST /load_lora_adapter first (vLLM); the endpoint has to see the workspace at its path',
    ),
  adapter_canary: z
    .boolean()
    .default(true)
    .describe('prove by /completions with prompt_logprobs that an adapter has an effect'),
  reported_model: z
    .string()
    .min(1)
    .max(200)
    .nullable()
    .default(null)
    .describe('name in its answers for `model`; null = the same'),
  api_key: SecretRef.nullable()
    .default(null)
    .describe('env:NAME or file:PATH; read on the worker, never stored'),
  allow_plaintext_key: z
    .boolean()
    .default(false)
    .describe('send the key over http to another machine'),
  max_requests_per_minute: z.number().positive().max(1_000_000).nullable().default(null),
  on_refusal: z
    .enum(['fail', 'empty'])
    .default('fail')
    .describe('a refused or filtered answer ends the shard, or is recorded as an empty text'),
  ...client,
});
export type OpenAiEngineConfig = z.infer<typeof OpenAiEngineConfig>;

export const VllmEngineConfig = z.strictObject({
  environment: SourceRef.describe('folder of a Python environment with vLLM (path in YAML)'),
  tensor_parallel_size: z.int().min(1).max(64).default(1).describe('GPUs that share the model'),
  gpu_memory_utilization: z.number().gt(0).max(1).default(0.9),
  max_model_len: z.int().min(64).nullable().default(null).describe('tokens; null = the model says'),
  batch_invariant: z
    .boolean()
    .default(false)
    .describe('VLLM_BATCH_INVARIANT=1: equal texts whatever else is under way; slower'),
  startup_timeout_seconds: z.number().min(1).max(7200).default(900),
  canary: z
    .strictObject({
      tolerance: z
        .number()
        .positive()
        .default(0.1)
        .describe('mean difference to our own log-probabilities, nats a token'),
      on_failure: z
        .enum(['merge', 'fail'])
        .default('merge')
        .describe('merge = serve a temporary merged checkpoint and record it'),
    })
    .prefault({}),
  ...client,
  max_concurrency: client.max_concurrency.default(256),
});
export type VllmEngineConfig = z.infer<typeof VllmEngineConfig>;

/** Fields of `generation` that choose the engine. */
export const engineFields = {
  engine: z.enum(ENGINES).optional().describe('hf when it is not given'),
  openai: OpenAiEngineConfig.optional().describe('used by engine: openai'),
  vllm: VllmEngineConfig.optional().describe('used by engine: vllm'),
};

/** The chosen engine with its own knobs; of a checked config. */
export type Engine =
  | { readonly name: 'hf' }
  | { readonly name: 'openai'; readonly config: OpenAiEngineConfig }
  | { readonly name: 'vllm'; readonly config: VllmEngineConfig };

interface EngineFields {
  readonly engine?: EngineName | undefined;
  readonly openai?: OpenAiEngineConfig | undefined;
  readonly vllm?: VllmEngineConfig | undefined;
}

/** @throws RangeError for a config that {@link checkEngine} refuses. */
export function engineOf({ engine = 'hf', openai, vllm }: EngineFields): Engine {
  if (engine === 'hf') return { name: engine };
  if (engine === 'openai' && openai !== undefined) return { name: engine, config: openai };
  if (engine === 'vllm' && vllm !== undefined) return { name: engine, config: vllm };
  throw new RangeError(`Expected generation.${engine} for generation.engine ${engine}`);
}

/** Rules across the fields of {@link engineFields}. */
export function checkEngine(fields: EngineFields, context: z.RefinementCtx): void {
  const { engine = 'hf', openai } = fields;
  if (engine !== 'hf' && fields[engine] === undefined) {
    const needed = engine === 'openai' ? 'base_url and model' : 'environment';
    context.addIssue({
      code: 'custom',
      path: ['engine'],
      message: `${engine} needs generation.${engine} with ${needed}; add it, or set generation.engine to hf`,
    });
  }
  if (openai === undefined) return;
  const { api_key, base_url, allow_plaintext_key } = openai;
  if (api_key !== null && !allow_plaintext_key && !keepsSecret(base_url)) {
    context.addIssue({
      code: 'custom',
      path: ['openai', 'api_key'],
      message: `the key would travel in clear text to ${base_url}; use https, or set generation.openai.allow_plaintext_key to true`,
    });
  }
  if (openai.load_adapters && openai.adapter_model === null) {
    context.addIssue({
      code: 'custom',
      path: ['openai', 'load_adapters'],
      message: 'needs generation.openai.adapter_model, such as "{sha256}"',
    });
  }
}

function keepsSecret(baseUrl: string): boolean {
  const { protocol, hostname } = new URL(baseUrl);
  return protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}
