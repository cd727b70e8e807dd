/**
 * What generation and training have in common: an artifact that is there already costs nothing; else
 * the model process works in a folder that survives attempts, and its output is published.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { asyncLocalStorage } from '@temporalio/activity';
import { PROTOCOL_VERSION } from '../contract/api.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ModelConfig } from '../contract/config.ts';
import type {
  AdapterSpec,
  ModelProcessRequest,
  ModelSpec,
  ResultMessage,
} from '../contract/model-process.ts';
import type { Policy } from '../contract/status.ts';
import type { JsonObject } from '../store/canonical.ts';
import { featureCacheDir } from '../store/layout.ts';
import type { BuildSpec } from '../store/store.ts';
import type { ActivityDependencies } from './context.ts';
import { modelFolder } from './model.ts';
import { runModelRequest } from './model-request.ts';

/**
 * Longest silence of a process that works: one forward pass of a large batch, or reading the weights
 * of a large base from a slow disk. Together with detection it stays below three minutes.
 */
const STALL_TIMEOUT_MS = 150_000;
/** An attempt that was given up may take this long to save and let go of the folder. */
const LOCK_TIMEOUT_SECONDS = 20;

/** The fields that generation and training requests share. */
export interface WorkFields {
  readonly protocol_version: typeof PROTOCOL_VERSION;
  readonly request_id: string;
  readonly work_dir: string;
  readonly attempt: number;
  readonly lock_timeout_seconds: number;
  readonly model: ModelSpec;
  readonly adapter: AdapterSpec | null;
}

export interface GpuWork {
  readonly spec: BuildSpec;
  readonly model: ModelConfig;
  readonly policy: Policy;
  /** Completes the request; called only when there is work to do. */
  readonly request: (fields: WorkFields) => ModelProcessRequest | Promise<ModelProcessRequest>;
  /** Longest silence of a process that works, where it is not the usual one. */
  readonly stallTimeoutMs?: number;
  /** Looks at the result before it is published. */
  readonly check?: (result: ResultMessage) => void;
}

/** Finds the artifact of a piece of model work or has it made. */
export async function finishedOrMade(
  deps: ActivityDependencies,
  { spec, model, policy, request, check, stallTimeoutMs = STALL_TIMEOUT_MS }: GpuWork,
): Promise<ArtifactRef> {
  const { store } = deps;
  const key = store.key(spec);
  const finished = await store.find(spec.kind, key);
  if (finished !== null) return finished;
  const workDir = await store.workDirectory(spec.kind, key);
  const fields: WorkFields = {
    protocol_version: PROTOCOL_VERSION,
    request_id: `${spec.kind}/${key}`,
    work_dir: workDir,
    attempt: fencingToken(),
    lock_timeout_seconds: LOCK_TIMEOUT_SECONDS,
    ...(await policySpec(deps, model, policy)),
  };
  const result = await runModelRequest(deps, await request(fields), stallTimeoutMs);
  check?.(result);
  const ref = await store.publish(spec, join(workDir, 'output'), result.num_records);
  await store.removeWorkDirectory(spec.kind, key);
  return ref;
}

/**
 * Knobs of the model that change bytes: part of every key. As the config has them, not as a machine
 * resolves them: an `auto` must find its artifacts and checkpoints again on another machine.
 */
export function modelParameters(model: ModelConfig): JsonObject {
  const { dtype, device, num_threads, image_backend, quantization } = model;
  return {
    ...{ dtype, device, num_threads, image_backend },
    ...(quantization === undefined ? {} : { quantization }),
  };
}

/** Artifacts that a policy is made of. */
export function policyInputs({ model, adapter }: Policy): ArtifactRef[] {
  return adapter === null ? [model] : [model, adapter];
}

/** The base and adapter of a policy as the model process wants them. */
async function policySpec(
  deps: ActivityDependencies,
  config: ModelConfig,
  { model, adapter }: Policy,
): Promise<{ model: ModelSpec; adapter: AdapterSpec | null }> {
  const { dtype, device, image_backend, num_threads, quantization } = config;
  const { feature_cache_bytes: max_bytes } = config;
  return {
    model: {
      path: await modelFolder(deps, config.source, model),
      sha256: model.sha256,
      dtype,
      device,
      image_backend,
      num_threads: num_threads ?? availableParallelism(),
      ...(quantization === undefined ? {} : { quantization }),
      ...(max_bytes === undefined
        ? {}
        : { feature_cache: { path: featureCacheDir(deps.workspace), max_bytes } }),
    },
    adapter:
      adapter === null ? null : { path: deps.store.directory(adapter), sha256: adapter.sha256 },
  };
}

/**
 * Grows from attempt to attempt, also over different executions that share a work folder: a run that
 * is started again counts its attempts from 1, and must not be taken for an old one.
 */
function fencingToken(): number {
  return asyncLocalStorage.getStore()?.info.currentAttemptScheduledTimestampMs ?? Date.now();
}
