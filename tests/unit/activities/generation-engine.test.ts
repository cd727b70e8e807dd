import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  engineParameters,
  engineSpec,
  stallTimeout,
} from '../../../activities/generation-engine.ts';
import { ExperimentConfig } from '../../../contract/config.ts';
import { registerEndpoint } from '../../../store/endpoints.ts';
import { runIdOf } from '../../../store/run-id.ts';
import { registerSource } from '../../../store/sources.ts';
import { temporaryDirectory } from '../store/temporary.ts';
import { fakeModelProcesses, generateRequest } from './fake-model-process.ts';
import { gpuWorkspace, shardOf } from './gpu-workspace.ts';

const KEY = 'sk-canary-4711';
const OPENAI = { base_url: 'https://gpu.example/v1', model: 'llava', adapter_model: '{sha256}' };

function configWith(generation: object, device = 'cpu'): ExperimentConfig {
  return ExperimentConfig.parse({
    name: 'test',
    model: { source: 'builtin:scenes/model', dtype: 'float32', device, num_threads: 1 },
    images: { source: 'builtin:scenes/images' },
    training_stages: ['preference_training'],
    generation,
  });
}

describe('the engine of a config', () => {
  it('leaves the name of a run and of its texts as they were before there was a choice', () => {
    const config = configWith({ batch_size: 4 });

    expect(Object.keys(config.generation)).not.toContain('engine');
    expect(engineParameters(config)).toEqual({
      batch_size: 4,
      device: 'cpu',
      dtype: 'float32',
      image_backend: 'pil',
      num_threads: 1,
    });
    // As the code before this choice computed it.
    expect(runIdOf(configWith({}))).toBe('test-49dc6546c0');
  });

  it.each([
    ['model', { model: 'another' }, false],
    ['address', { base_url: 'https://other.example/v1' }, false],
    ['rule for refusals', { on_refusal: 'empty' }, false],
    ['concurrency', { max_concurrency: 99 }, true],
    ['patience', { max_retries: 1, request_timeout_seconds: 5, retry_delay_seconds: 1 }, true],
    ['rate', { max_requests_per_minute: 5 }, true],
    ['place of the key', { api_key: 'env:ANOTHER' }, true],
  ])('names the texts of an endpoint by %s or not', (_name, knobs, isSame) => {
    const [before, after] = [{}, knobs].map((each) =>
      engineParameters(configWith({ engine: 'openai', openai: { ...OPENAI, ...each } })),
    );

    if (isSame) expect(after).toEqual(before);
    else expect(after).not.toEqual(before);
  });

  it('lets a server think for a whole timeout before it counts as hung', () => {
    const openai = { ...OPENAI, request_timeout_seconds: 600 };

    expect(stallTimeout(configWith({}))).toEqual({});
    expect(stallTimeout(configWith({ engine: 'openai', openai }))).toEqual({
      stallTimeoutMs: 750_000,
    });
  });

  it('raises the rank of vLLM to that of the adapters that the run trains', async () => {
    const workspace = await temporaryDirectory();
    const environment = await registerSource(workspace, workspace);

    const spec = await engineSpec(
      workspace,
      configWith({ engine: 'vllm', vllm: { environment } }, 'cuda'),
    );

    expect(spec).toMatchObject({ name: 'vllm', environment: workspace, max_lora_rank: 128 });
  });
});

describe('an endpoint', () => {
  const asked = { engine: 'openai' as const, openai: { ...OPENAI, api_key: 'env:GPU_KEY' } };

  it('is asked only when somebody has registered it in the workspace', async () => {
    const workspace = await temporaryDirectory();

    await expect(engineSpec(workspace, configWith(asked))).rejects.toMatchObject({
      code: 'SourceNotFound',
    });
    await registerEndpoint(workspace, { base_url: OPENAI.base_url, api_key: 'env:GPU_KEY' });
    await expect(engineSpec(workspace, configWith(asked))).resolves.toMatchObject({
      name: 'openai',
      api_key: { kind: 'environment', name: 'GPU_KEY' },
    });
  });

  it('gets no other key than the one it was registered with', async () => {
    const workspace = await temporaryDirectory();
    await registerEndpoint(workspace, { base_url: OPENAI.base_url, api_key: 'env:GPU_KEY' });
    const openai = { ...OPENAI, api_key: 'env:AWS_SECRET_ACCESS_KEY' };

    await expect(
      engineSpec(workspace, configWith({ engine: 'openai', openai })),
    ).rejects.toMatchObject({ code: 'SourceNotFound' });
  });

  it('has its key file by id, and the process is told the path only', async () => {
    const workspace = await temporaryDirectory();
    await writeFile(join(workspace, 'key.txt'), KEY);
    const api_key = await registerSource(workspace, join(workspace, 'key.txt'));
    await registerEndpoint(workspace, { base_url: OPENAI.base_url, api_key });

    const openai = { ...OPENAI, api_key };
    const spec = await engineSpec(workspace, configWith({ engine: 'openai', openai }));

    expect(spec).toMatchObject({ api_key: { kind: 'file', name: join(workspace, 'key.txt') } });
    expect(JSON.stringify(spec)).not.toContain(KEY);
  });
});

describe('the environment of a model process', () => {
  const environment = {
    PATH: process.env['PATH'],
    GPU_KEY: KEY,
    OTHER_KEY: 'another',
    HTTPS_PROXY: 'http://proxy',
  };

  it('has the key that its request names, and no other', async () => {
    const workspace = await temporaryDirectory();
    const fake = fakeModelProcesses(workspace, [], { environment });
    const request = await generateRequest(workspace);
    const options = { signal: new AbortController().signal, stallTimeoutMs: 10_000 };
    await registerEndpoint(workspace, { base_url: OPENAI.base_url, api_key: 'env:GPU_KEY' });
    const openai = { ...OPENAI, api_key: 'env:GPU_KEY' };
    const engine = await engineSpec(workspace, configWith({ engine: 'openai', openai }));

    await fake.processes.run(request, options);
    await fake.processes.run({ ...request, engine }, options);

    const [own, endpoint] = fake.events('start').map((start) => start['environment']);
    expect(own).not.toHaveProperty('GPU_KEY');
    expect(own).not.toHaveProperty('HTTPS_PROXY');
    expect(endpoint).toMatchObject({
      GPU_KEY: KEY,
      HTTPS_PROXY: 'http://proxy',
      HF_HUB_OFFLINE: '1',
    });
    expect(endpoint).not.toHaveProperty('OTHER_KEY');
  });
});

describe('generateShard by an endpoint', () => {
  it('refuses an endpoint that is not registered, without a retry', async () => {
    const gpu = await gpuWorkspace();
    const { shards, requests } = await shardOf(gpu, 1, {
      generation: { engine: 'openai', openai: OPENAI },
    });

    await expect(gpu.activities.generateShard({ shards, requests })).rejects.toMatchObject({
      type: 'SourceNotFound',
      nonRetryable: true,
    });
  });
});
