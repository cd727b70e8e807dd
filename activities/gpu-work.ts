/**
 * What generation and training have in common: an artifact that is there already costs nothing; else
 * the model process works in a folder that survives attempts, and its output is published.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { asyncLocalStorage } from '@temporalio/activity';
import type { HeartbeatDetails } from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ModelConfig } from '../contract/config.ts';
import type {
  AdapterSpec,
  ModelProcessMessage,
  ModelProcessRequest,
  ModelSpec,
  ResultMessage,
} from '../contract/model-process.ts';
import type { Policy } from '../contract/status.ts';
import type { BuildSpec } from '../store/store.ts';
import type { ActivityDependencies } from './context.ts';
import { modelFolder } from './model.ts';

/** A quarter of the heartbeat timeout (workflows/proxies.ts). */
const HEARTBEAT_INTERVAL_MS = 5_000;
/**
 * Longest silence of a process that works: one forward pass of a large batch, or reading the weights
 * of a large base from a slow disk. Together with detection it stays below three minutes.
 */
const STALL_TIMEOUT_MS = 150_000;

export interface Work {
  readonly workDir: string;
  readonly attempt: number;
}

/** Finds the artifact of `spec` or has it made. */
export async function finishedOrMade(
  { store, modelProcesses }: ActivityDependencies,
  spec: BuildSpec,
  request: (work: Work) => Promise<ModelProcessRequest>,
): Promise<ArtifactRef> {
  const key = store.key(spec);
  const finished = await store.find(spec.kind, key);
  if (finished !== null) return finished;
  const workDir = await store.workDirectory(spec.kind, key);
  const context = asyncLocalStorage.getStore();
  const result = await withHeartbeat(async (onMessage) => {
    const signal = context?.cancellationSignal ?? new AbortController().signal;
    const options = { signal, onMessage, stallTimeoutMs: STALL_TIMEOUT_MS };
    const asked = await request({ workDir, attempt: context?.info.attempt ?? 1 });
    return await modelProcesses.run(asked, options);
  });
  const ref = await store.publish(spec, join(workDir, 'output'), result.num_records);
  await store.removeWorkDirectory(spec.kind, key);
  return ref;
}

/** Beats by a timer with what the process last told; model loading is silent for minutes. */
async function withHeartbeat(
  work: (onMessage: (message: ModelProcessMessage) => void) => Promise<ResultMessage>,
): Promise<ResultMessage> {
  const context = asyncLocalStorage.getStore();
  let details: HeartbeatDetails = {
    phase: 'starting',
    done: 0,
    total: 0,
    unit: 'items',
    checkpoint_step: null,
    loss: null,
  };
  const beat = (): void => context?.heartbeat(details);
  beat();
  const timer = setInterval(beat, HEARTBEAT_INTERVAL_MS);
  try {
    return await work((message) => {
      details = after(details, message);
    });
  } finally {
    clearInterval(timer);
  }
}

function after(details: HeartbeatDetails, message: ModelProcessMessage): HeartbeatDetails {
  switch (message.type) {
    case 'progress': {
      const { phase, done, total, unit } = message;
      return { ...details, phase, done, total, unit };
    }
    case 'metric':
      return { ...details, loss: message.values['loss'] ?? details.loss };
    case 'checkpoint':
      return { ...details, checkpoint_step: message.step };
    default:
      return details;
  }
}

/** Knobs of the model that change bytes: part of every key. */
export function modelParameters(model: ModelConfig): {
  dtype: string;
  device: string;
  num_threads: number;
  image_backend: string;
} {
  const { dtype, device, image_backend } = model;
  return { dtype, device, image_backend, num_threads: model.num_threads ?? availableParallelism() };
}

/** The base and adapter of a policy as the model process wants them. */
export async function policySpec(
  { store, workspace }: ActivityDependencies,
  config: ModelConfig,
  policy: Policy,
): Promise<{ model: ModelSpec; adapter: AdapterSpec | null }> {
  const { dtype, device, image_backend } = config;
  const model: ModelSpec = {
    path: await modelFolder({ store, workspace }, config.source, policy.model),
    sha256: policy.model.sha256,
    dtype,
    device,
    image_backend,
    num_threads: modelParameters(config).num_threads,
  };
  const { adapter } = policy;
  return {
    model,
    adapter: adapter === null ? null : { path: store.directory(adapter), sha256: adapter.sha256 },
  };
}

/** Artifacts that a policy is made of. */
export function policyInputs({ model, adapter }: Policy): ArtifactRef[] {
  return adapter === null ? [model] : [model, adapter];
}
