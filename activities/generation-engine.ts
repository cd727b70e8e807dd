/**
 * The engine of a config: what of it names an artifact, what of it the model process is told, and how
 * long it may be silent.
 */
import type { ExperimentConfig } from '../contract/config.ts';
import { engineOf, type OpenAiEngineConfig } from '../contract/config-engine.ts';
import type { GenerateRequest } from '../contract/model-process.ts';
import type { ClientSpec, SecretPlace } from '../contract/model-process-engines.ts';
import type { SecretRef } from '../contract/source.ts';
import type { JsonObject } from '../store/canonical.ts';
import { requireEndpoint } from '../store/endpoints.ts';
import { resolveSource } from '../store/sources.ts';
import { modelParameters } from './gpu-work.ts';

type EngineSpec = GenerateRequest['engine'];

/** Longest pause that an endpoint may ask for (python/sticflow_ml/retrying.py), and some slack. */
const LONGEST_PAUSE_SECONDS = 120 + 30;

/**
 * Knobs that change bytes: part of the key of the texts. Those of `hf` are what they were before there
 * was a choice. How patiently a server is asked is not among them.
 */
export function engineParameters({ model, generation }: ExperimentConfig): JsonObject {
  const engine = engineOf(generation);
  switch (engine.name) {
    case 'hf':
      return { ...modelParameters(model), batch_size: generation.batch_size };
    case 'openai': {
      // Device, dtype and threads of this machine play no part: the endpoint has its own.
      const { base_url, model: served, adapter_model, reported_model, on_refusal } = engine.config;
      const { adapter_canary } = engine.config;
      return {
        engine: engine.name,
        ...{ base_url, model: served, adapter_model, adapter_canary, reported_model, on_refusal },
      };
    }
    case 'vllm': {
      const { environment, tensor_parallel_size, max_model_len, batch_invariant } = engine.config;
      return {
        engine: engine.name,
        dtype: model.dtype,
        ...{ environment, tensor_parallel_size, max_model_len, batch_invariant },
        canary: engine.config.canary,
      };
    }
  }
}

/**
 * The engine as the model process wants it.
 *
 * @throws SticflowError `SourceNotFound` for an endpoint, key file or environment that nobody registered.
 */
export async function engineSpec(workspace: string, config: ExperimentConfig): Promise<EngineSpec> {
  const engine = engineOf(config.generation);
  switch (engine.name) {
    case 'hf':
      return { name: 'hf' };
    case 'openai': {
      await requireEndpoint(workspace, engine.config);
      const { base_url, model, adapter_model, load_adapters, adapter_canary } = engine.config;
      const { reported_model, api_key, on_refusal, max_requests_per_minute } = engine.config;
      return {
        name: 'openai',
        ...{ base_url, model, adapter_model, load_adapters, adapter_canary },
        ...{ reported_model, on_refusal },
        api_key: api_key === null ? null : await secretPlace(workspace, api_key),
        client: { ...clientSpec(engine.config), max_requests_per_minute },
      };
    }
    case 'vllm': {
      const { tensor_parallel_size, gpu_memory_utilization, max_model_len } = engine.config;
      const { batch_invariant, startup_timeout_seconds, canary } = engine.config;
      return {
        name: 'vllm',
        environment: await resolveSource(workspace, engine.config.environment),
        max_lora_rank: Math.max(config.preference_training.lora.r, config.infused_training.lora.r),
        ...{ tensor_parallel_size, gpu_memory_utilization, max_model_len },
        ...{ batch_invariant, startup_timeout_seconds },
        canary_tolerance: canary.tolerance,
        on_canary_failure: canary.on_failure,
        client: { ...clientSpec(engine.config), max_requests_per_minute: null },
      };
    }
  }
}

/** A server may think for a whole timeout before there is anything to tell. */
export function stallTimeout({ generation }: ExperimentConfig): { stallTimeoutMs?: number } {
  const engine = engineOf(generation);
  if (engine.name === 'hf') return {};
  const seconds = engine.config.request_timeout_seconds + LONGEST_PAUSE_SECONDS;
  return { stallTimeoutMs: 1000 * seconds };
}

type ClientConfig = Pick<
  OpenAiEngineConfig,
  'max_concurrency' | 'request_timeout_seconds' | 'max_retries' | 'retry_delay_seconds'
>;

function clientSpec(config: ClientConfig): Omit<ClientSpec, 'max_requests_per_minute'> {
  const { max_concurrency, request_timeout_seconds, max_retries, retry_delay_seconds } = config;
  return { max_concurrency, request_timeout_seconds, max_retries, retry_delay_seconds };
}

async function secretPlace(workspace: string, ref: SecretRef): Promise<SecretPlace> {
  return ref.startsWith('env:')
    ? { kind: 'environment', name: ref.slice('env:'.length) }
    : { kind: 'file', name: await resolveSource(workspace, ref) };
}
